"""Access control of the web page.

On loopback addresses the page is open, except to other web pages, whose requests a browser sends
from this machine, too. All other addresses need a token.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import ipaddress
import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import segno
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_dream.errors import SinkError
from stream_dream.live.web.places import Places, network_of
from stream_dream.media.write.atomic import write_bytes
from stream_dream.networks.download import cache_folder
from stream_dream.runtime.limited_log import LimitedLog

log = logging.getLogger("stream_dream.live")

MOST_BYTES = 65536
"""Largest body or message that is accepted."""

TOO_LARGE = f"the body is too large: send at most {MOST_BYTES} bytes"

LOG_SECONDS = 60.0
"""Time in which ten lines about strangers are logged: an installation runs for months."""

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# As long as browsers allow. Every answer renews it: a projector shows a picture for years.
_COOKIE_SECONDS = 400 * 86400
_MACHINE_ID = Path("/etc/machine-id")
_WRONG_TOKEN_SECONDS = 0.3
# Default headers of all responses; the page's files set their own content policy.
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), fullscreen=(self), midi=(self)",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
# SameSite=Strict withholds the fresh cookie after a link on another site: one more click, on this
# page's own link, and it is sent.
_NO_TOKEN_PAGE = (
    "<!doctype html><meta name=viewport content='width=device-width'><title>stream_dream</title>"
    "<p>{line}.<p>If you just followed the link with the token: <a href='/'>open the page</a>."
)


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def qr_text(link: str) -> str:
    """Return a QR code of the link, made of block characters, for a terminal."""
    text = io.StringIO()
    segno.make(link, micro=False).terminal(text, compact=True, border=2)
    return text.getvalue()


def qr_picture(link: str) -> bytes:
    """Return a QR code of the link as SVG."""
    picture = io.BytesIO()
    segno.make(link, micro=False).save(picture, "svg", scale=6, border=3, light="white")
    return picture.getvalue()


class Guesses:
    """Counts the different wrong tokens of each address or, of IPv6, each network.

    The same wrong token again, as from a forgotten browser tab, is no guess.
    """

    MOST = 10
    SECONDS = 60.0
    _ADDRESSES = 1000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with none; ``clock`` returns the time in seconds."""
        self._clock = clock
        self._of: dict[str, tuple[float, set[bytes]]] = {}

    def add(self, address: str, token: bytes) -> None:
        """Record a wrong token."""
        address = network_of(address)
        begun, wrong = self._of.pop(address, (self._clock(), set()))
        if self._clock() - begun > self.SECONDS:
            begun, wrong = self._clock(), set()
        if len(wrong) < self.MOST:
            wrong.add(hashlib.sha256(token).digest())
        self._of[address] = begun, wrong
        while len(self._of) > self._ADDRESSES:
            del self._of[next(iter(self._of))]

    def too_many(self, address: str) -> bool:
        """Return whether an address is blocked for now."""
        begun, wrong = self._of.get(network_of(address), (0.0, set()))
        return len(wrong) >= self.MOST and self._clock() - begun <= self.SECONDS


class Gate:
    """ASGI middleware that refuses unauthorised requests and adds headers to all responses."""

    def __init__(
        self,
        application: ASGIApp,
        address: tuple[str, int],
        token: str | None,
        places: Places | None = None,
        *,
        secure: bool = False,
    ) -> None:
        """Guard an application.

        Args:
            application: The application.
            address: Host and port that it is bound to; loopback only if there is no token.
            token: The token; None for an open page.
            places: The places of the server; authorised connections keep theirs.
            secure: True if it is served by HTTPS.
        """
        host, port = address
        self._application = application
        self._token = None if token is None else token.encode()
        self._places = places or Places()
        self._log = LimitedLog(log, "web page: wrong tokens", seconds=LOG_SECONDS)
        # A limit on guesses must not lock out an operator, whose address an attacker may share. So
        # what the cookie holds cannot be guessed even where the token can. Cookies ignore ports, so
        # the name has it.
        self._ticket = hmac.digest(_secret(), self._token or b"", "sha256").hex()
        # A cookie of HTTPS has a name of its own: over HTTP it could not be replaced.
        self._cookie = f"__Host-stream_dream_{port}" if secure else f"stream_dream_{port}"
        remembering = Response()
        remembering.set_cookie(
            self._cookie,
            self._ticket,
            _COOKIE_SECONDS,
            secure=secure,
            httponly=True,
            samesite="strict",
        )
        self._set_cookie = remembering.headers["set-cookie"]
        # Other names may be an attacker's that resolve to this machine (DNS rebinding). With a
        # token any name will do, as the cookie is bound to it.
        own = {"localhost", "127.0.0.1", "::1", host.lower()}
        self._names = own if is_loopback(host) else None
        self._guesses = Guesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with one line on why."""
        connection = HTTPConnection(scope)
        remembered = self._token is not None and self._remembers(connection)

        async def send_with_headers(message: Message) -> None:
            if message["type"].endswith("response.start"):
                headers = MutableHeaders(scope=message)
                if remembered:
                    headers.setdefault("set-cookie", self._set_cookie)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        self._log.sum_up()
        answer = self._refusal(connection)
        if answer is None and self._token is not None:
            answer = await self._check_token(connection, self._token, remembered=remembered)
        if answer is None and connection.client is not None:
            self._places.trust((connection.client.host, connection.client.port))
        await (answer or self._application)(scope, receive, send_with_headers)

    def _refusal(self, connection: HTTPConnection) -> Response | None:
        """Return the response to a request that is refused whatever its token, else None."""
        scope, headers = connection.scope, connection.headers
        host = headers.get("host", "").lower()
        # Starlette's TrustedHostMiddleware does not say how to open the page instead.
        if self._names is not None and _parts(f"//{host}").hostname not in self._names:
            return _line(403, f"this page is not called {host[:100]!r}: open it as localhost")
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        origin = headers.get("origin")
        if changes and origin is not None and (_parts(origin).netloc.lower() or None) != host:
            return _line(403, "another web page cannot change this show: open the page of the show")
        if int(headers.get("content-length", "0")) > MOST_BYTES:
            return _line(413, TOO_LARGE)
        return None

    def _remembers(self, connection: HTTPConnection) -> bool:
        """Return whether a request has the cookie of the page."""
        return _any_is(self._kept_by(connection), self._ticket.encode())

    def _kept_by(self, connection: HTTPConnection) -> list[bytes]:
        cookie = connection.cookies.get(self._cookie)
        return [] if cookie is None else [cookie.encode()]

    async def _check_token(
        self, connection: HTTPConnection, token: bytes, *, remembered: bool
    ) -> Response | None:
        """Return the response to a request without the token, or with it in the URL, else None."""
        if remembered and "token" not in connection.query_params:
            return None
        address = connection.client.host if connection.client else ""
        if not remembered and self._guesses.too_many(address):
            return _line(429, "too many wrong tokens: wait a minute")
        tokens = connection.query_params.getlist("token")
        asked = [value.encode(errors="replace") for value in tokens]
        authorization = connection.headers.get("authorization", "").encode("latin-1")
        scheme, _, bearer = authorization.partition(b" ")
        borne = [bearer.strip()] if scheme.lower() == b"bearer" and bearer.strip() else []
        wants_page = "text/html" in connection.headers.get("accept", "")
        if _any_is(asked, token):
            # Programs get the response itself; a browser must neither show nor keep the token.
            by_browser = wants_page or connection.scope["path"] == "/"
            get = connection.scope.get("method") == "GET"
            return self._without_token(connection) if get and by_browser else None
        if remembered or _any_is(borne, token):
            return None
        wrong = [*asked, *borne, *self._kept_by(connection)]
        for guess in wrong:
            self._guesses.add(address, guess)
        if wrong:
            self._log.warn(f"web page: {address} came with a wrong token")
            await asyncio.sleep(_WRONG_TOKEN_SECONDS)
        what = "this token is wrong" if wrong else "a token is needed"
        line = f"{what}: open the link that the show printed when it began"
        challenge = {"www-authenticate": "Bearer"}
        if wants_page:
            return HTMLResponse(_NO_TOKEN_PAGE.format(line=line) + "\n", 401, challenge)
        return _line(401, line, challenge)

    def _without_token(self, connection: HTTPConnection) -> Response:
        """Return a redirect to the same URL without the token, which a cookie keeps."""
        query = connection.query_params.multi_items()
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        # One slash: two would lead to another host.
        path = "/" + quote(connection.scope["path"].lstrip("/\\"))
        answer = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
        answer.headers["set-cookie"] = self._set_cookie
        return answer


def _secret() -> bytes:
    """Return what cookies are made with, the same after a restart.

    It is the name of the machine or, where systems have none, a key that is kept in the cache.
    """
    path = cache_folder() / "cookies.key"
    for kept in (_MACHINE_ID, path):
        with suppress(OSError):
            if key := kept.read_bytes().strip():
                return key
    key = secrets.token_hex(32).encode()
    with suppress(OSError, SinkError):  # without it, pages are opened anew after a restart
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, key, overwrite=True, private=True)
    return key


def _parts(url: str) -> SplitResult:
    """Return the parts of a URL, all of them empty if it is invalid."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _any_is(given: list[bytes], wanted: bytes) -> bool:
    return any(hmac.compare_digest(token, wanted) for token in given)


def _line(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{text}\n", status, headers)

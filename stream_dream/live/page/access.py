"""Who may come in: the gate in front of the web page.

On this machine's own addresses the page is open, and what has to be kept out is other web pages: a
browser sends their requests from here, too. Everywhere else a token opens it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from stream_dream.errors import SettingsError

MOST_BYTES = 65536
"""Largest body or message that is read."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_COOKIE_SECONDS = 30 * 86400
_WRONG_TOKEN_SECONDS = 0.3
# What goes with every answer; a page says for itself what else it may do.
_HEADERS = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
}
# SameSite=Strict keeps the fresh cookie back where a link on another site led here: one more click,
# on this page's own link, and it is sent.
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
    """Return a QR code of the link, made of block characters, for a terminal.

    Raises:
        SettingsError: The extra ``live`` is not installed.
    """
    try:
        import segno
    except ImportError as error:
        raise SettingsError(
            "a QR code needs the extra live: pip install 'stream-dream[live]'"
        ) from error
    import io

    text = io.StringIO()
    segno.make(link, micro=False).terminal(text, compact=True, border=2)
    return text.getvalue()


class Guesses:
    """Counts the different wrong tokens that come from an address.

    Who sends the same wrong one again, as a forgotten browser tab does, is not guessing.
    """

    MOST = 10
    SECONDS = 60.0
    _ADDRESSES = 1000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with none; ``clock`` tells the time in seconds."""
        self._clock = clock
        self._of: dict[str, tuple[float, set[bytes]]] = {}

    def add(self, address: str, token: bytes) -> None:
        """Note a wrong token."""
        begun, wrong = self._of.pop(address, (self._clock(), set()))
        if self._clock() - begun > self.SECONDS:
            begun, wrong = self._clock(), set()
        if len(wrong) < self.MOST:
            wrong.add(hashlib.sha256(token).digest())
        self._of[address] = begun, wrong
        while len(self._of) > self._ADDRESSES:
            del self._of[next(iter(self._of))]

    def too_many(self, address: str) -> bool:
        """Return whether nothing more is taken from an address for now."""
        begun, wrong = self._of.get(address, (0.0, set()))
        return len(wrong) >= self.MOST and self._clock() - begun <= self.SECONDS


class Gate:
    """An ASGI application around another: lets in who may, and adds the headers of every answer."""

    def __init__(self, application: Application, address: tuple[str, int], token: str | None):
        """Guard an application.

        Args:
            application: What is behind the gate.
            address: Host and port that it is bound to.
            token: What opens it; None to leave it open, on this machine's own addresses only.
        """
        host, port = address
        self._application = application
        self._token = None if token is None else token.encode()
        # The token itself may hold what a cookie cannot. Cookies know no ports: the name does.
        self._ticket = hashlib.sha256(self._token or b"").hexdigest()
        self._cookie = f"stream_dream_{port}"
        # A name that an attacker's server resolves to this machine is none of ours (DNS rebinding).
        # With a token, the cookie is bound to the name, and any name will do.
        own = {"localhost", "127.0.0.1", "::1", host.lower()}
        self._names = own if is_loopback(host) else None
        self._guesses = Guesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with one line on why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._application(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"].endswith("response.start"):
                known = {name.lower() for name, _ in message.get("headers", ())}
                more = [pair for pair in _HEADERS.items() if pair[0] not in known]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        headers = dict(scope["headers"])
        refused = self._refusal(scope, headers)
        if refused is not None:
            await _answer(scope, with_headers, *refused)
        elif self._token is None:
            await self._application(scope, receive, with_headers)
        else:
            await self._check_token(scope, headers, receive, with_headers)

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        """Return status and line for what is refused whoever sends it."""
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self._names is not None and _hostname(host) not in self._names:
            return 403, f"this page is not called {host[:100]!r}: open it as localhost"
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        origin = headers.get(b"origin")
        if changes and origin is not None and _netloc(origin.decode("latin-1")) != host:
            return 403, "another web page cannot change this show: open the page of the show"
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 20 or int(length) > MOST_BYTES:
            return 413, f"the body is too large: send at most {MOST_BYTES} bytes"
        return None

    async def _check_token(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        address = (scope.get("client") or ("",))[0]
        if self._guesses.too_many(address):
            await _answer(scope, send, 429, "too many wrong tokens: wait a minute")
            return
        assert self._token is not None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        asked = [value.encode(errors="replace") for name, value in query if name == "token"]
        borne, kept = list(_bearers(headers)), list(_cookies(headers, self._cookie))
        wants_page = b"text/html" in headers.get(b"accept", b"")
        if _any_is(asked, self._token):
            # A program takes the answer as it is; a browser must not show the token, nor keep it.
            if scope.get("method") == "GET" and (wants_page or scope["path"] == "/"):
                await self._let_in(scope, query, send)
            else:
                await self._application(scope, receive, send)
            return
        if _any_is(borne, self._token) or _any_is(kept, self._ticket.encode()):
            await self._application(scope, receive, send)
            return
        wrong = [*asked, *borne, *kept]
        for token in wrong:
            self._guesses.add(address, token)
        if wrong:
            await asyncio.sleep(_WRONG_TOKEN_SECONDS)
        what = "this token is wrong" if wrong else "a token is needed"
        line = f"{what}: open the link that the show printed when it began"
        await _answer(scope, send, 401, _NO_TOKEN_PAGE.format(line=line) if wants_page else line)

    async def _let_in(self, scope: Scope, query: list[tuple[str, str]], send: Send) -> None:
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        # One slash: two would lead to another host.
        path = "/" + quote(scope["path"].lstrip("/\\"))
        cookie = (
            f"{self._cookie}={self._ticket}; Path=/; Max-Age={_COOKIE_SECONDS}; HttpOnly; "
            "SameSite=Strict"
        )
        headers = {"location": path + (f"?{rest}" if rest else ""), "set-cookie": cookie}
        await _answer(scope, send, 303, "", headers)


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _any_is(given: list[bytes], wanted: bytes) -> bool:
    return any(hmac.compare_digest(token, wanted) for token in given)


def _cookies(headers: dict[bytes, bytes], name: str) -> Iterator[bytes]:
    try:
        cookies = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return
    if name in cookies:
        yield cookies[name].value.encode()


def _bearers(headers: dict[bytes, bytes]) -> Iterator[bytes]:
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        yield token.strip()


async def _answer(
    scope: Scope, send: Send, status: int, text: str, headers: dict[str, str] | None = None
) -> None:
    """Answer with a line; a WebSocket that was not opened yet gets it, too."""
    kind = "text/html" if text.startswith("<") else "text/plain"
    body = text.encode() + b"\n"
    fields = {
        "content-type": f"{kind}; charset=utf-8",
        "content-length": str(len(body)),
        **({"www-authenticate": "Bearer"} if status == 401 else {}),
        **(headers or {}),
    }
    prefix = "websocket.http" if scope["type"] == "websocket" else "http"
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": f"{prefix}.response.start", "status": status, "headers": encoded})
    await send({"type": f"{prefix}.response.body", "body": body})

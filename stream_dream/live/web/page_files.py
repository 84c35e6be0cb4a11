"""The files of the web pages."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

PAGE_FILES = {
    "": "page.html",
    "view": "view.html",
    "camera": "camera.html",
    **{
        name: name
        for name in (
            "page.css",
            "page.js",
            "connection.js",
            "controls.js",
            "decks.js",
            "dom.js",
            "files.js",
            "keys.js",
            "lfo.js",
            "meters.js",
            "midi.js",
            "notices.js",
            "picture.js",
            "scenes.js",
            "tempo.js",
            "view.css",
            "view.js",
            "camera.js",
        )
    },
}
"""Files of the pages, by their path."""


# This origin alone, and no text that becomes a script; the icon is a data URL.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


def page_file(name: str) -> Callable[[Request], Awaitable[Response]]:
    """Return a handler that serves a file of the page, which a browser caches by its ETag."""
    # Read once: a version installed during a show does not fit it.
    content = Path(__file__).with_name(name).read_bytes()
    media_type = _MEDIA_TYPES[Path(name).suffix]
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    headers = {"cache-control": "no-cache", "content-security-policy": _POLICY, "etag": tag}

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return answer

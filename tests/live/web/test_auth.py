"""Access to the web page: tokens, host names, other origins."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from stream_dream.live.web import auth
from stream_dream.live.web.auth import Gate, Guesses, is_loopback, qr_text

TOKEN = "a secret, with ümlaut"


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/plain"), (b"referrer-policy", b"origin")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"inside"})


def ask(gate: Gate, method: str, url: str, **given: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(gate)
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.request(method, url, **given)

    return asyncio.run(once())


@pytest.fixture
def at_home() -> Gate:
    return Gate(behind, ("127.0.0.1", 8000), None)


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Gate:
    monkeypatch.setattr(auth, "_WRONG_TOKEN_SECONDS", 0)
    return Gate(behind, ("0.0.0.0", 8000), TOKEN)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"])
def test_loopback_addresses_are_recognised(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "localhost.evil.com", ""])
def test_public_addresses_are_recognised(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8000", "LocalHost:8000"])
def test_own_host_names_are_accepted(at_home: Gate, host: str) -> None:
    assert ask(at_home, "GET", "http://x/", headers={"host": host}).text == "inside"


@pytest.mark.parametrize(
    "host", ["evil.com", "localhost.evil.com", "127.0.0.1.evil.com:80", "", "[", "localhost@e.com"]
)
def test_other_host_names_are_refused(at_home: Gate, host: str) -> None:
    answer = ask(at_home, "GET", "http://x/", headers={"host": host})
    assert answer.status_code == 403
    assert len(answer.text.splitlines()) == 1


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),  # no browser
        ("http://localhost:8000", 200),
        ("https://localhost:8000", 200),  # behind a proxy
        ("http://localhost:9000", 403),
        ("http://evil.com", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_other_pages_change_nothing(at_home: Gate, origin: str | None, status: int) -> None:
    headers = {} if origin is None else {"origin": origin}
    assert ask(at_home, "PUT", "http://localhost:8000/", headers=headers).status_code == status
    assert ask(at_home, "GET", "http://localhost:8000/", headers=headers).status_code == 200


def test_large_bodies_are_refused_unread(at_home: Gate) -> None:
    assert ask(at_home, "PUT", "http://localhost/", content=b"x" * 65536).status_code == 200
    assert ask(at_home, "PUT", "http://localhost/", content=b"x" * 65537).status_code == 413


def test_headers_of_every_answer(at_home: Gate) -> None:
    for host in ("localhost", "evil.com"):
        headers = ask(at_home, "GET", f"http://{host}/").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "camera=(self)" in headers["permissions-policy"]
    assert ask(at_home, "GET", "http://localhost/").headers.get_list("referrer-policy") == [
        "origin"  # the header of the page itself is kept
    ]


def test_a_token_is_needed(outside: Gate) -> None:
    answer = ask(outside, "GET", "http://show/")
    assert answer.status_code == 401
    assert "token is needed" in answer.text


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + " ", TOKEN.upper()])
def test_wrong_tokens(outside: Gate, token: str) -> None:
    answer = ask(outside, "GET", "http://show/", params={"token": token})
    assert answer.status_code == 401
    assert "wrong" in answer.text
    bearer = {"authorization": f"Bearer {token}x".encode()}
    assert ask(outside, "GET", "http://show/", headers=bearer).status_code == 401


def test_the_first_visit_hides_the_token_and_is_remembered(outside: Gate) -> None:
    answer = ask(outside, "GET", "http://show/", params={"token": TOKEN, "x": "1 2"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?x=1+2"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    remembered = {"cookie": "other=1; " + cookie.partition(";")[0]}
    answer = ask(outside, "GET", "http://show/", headers=remembered)
    assert answer.text == "inside"
    assert answer.headers["set-cookie"] == cookie  # for another 400 days
    tampered = {"cookie": cookie.partition(";")[0][:-1]}
    answer = ask(outside, "GET", "http://show/", headers=tampered)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_the_redirect_stays_on_this_host(outside: Gate) -> None:
    html = {"accept": "text/html"}
    for path in ("//evil.com/", "/\\evil.com", "///evil.com"):
        answer = ask(outside, "GET", f"http://show{path}", params={"token": TOKEN}, headers=html)
        assert answer.headers["location"].startswith("/")
        assert answer.headers["location"][1] not in "/\\"


def test_programs_may_send_the_token_with_each_request(outside: Gate) -> None:
    bearer = {"authorization": f"bearer {TOKEN}".encode()}
    assert ask(outside, "GET", "http://show/", headers=bearer).text == "inside"
    direct = ask(outside, "GET", "http://show/stream.mjpeg", params={"token": TOKEN})
    assert direct.text == "inside"


def test_guessing_tokens_is_limited(outside: Gate) -> None:
    for number in range(Guesses.MOST):
        assert ask(outside, "GET", f"http://show/?token={number}").status_code == 401
    assert ask(outside, "GET", "http://show/?token=11").status_code == 429
    # Now even the right token is refused.
    assert ask(outside, "GET", "http://show/", params={"token": TOKEN}).status_code == 429


def test_an_old_tab_does_not_lock_its_user_out(outside: Gate) -> None:
    for _ in range(3 * Guesses.MOST):
        assert ask(outside, "GET", "http://show/?token=old").status_code == 401
    assert ask(outside, "GET", "http://show/", params={"token": TOKEN}).status_code == 303


def test_guesses_are_forgotten_and_bounded() -> None:
    now = 0.0
    guesses = Guesses(lambda: now)
    for number in range(Guesses.MOST):
        guesses.add("a", b"%d" % number)
    assert guesses.too_many("a")
    assert not guesses.too_many("b")
    now = Guesses.SECONDS + 1
    assert not guesses.too_many("a")
    for number in range(5000):
        guesses.add(str(number), b"x")
    assert len(guesses._of) <= 1000


def test_a_websocket_is_told_why_it_is_refused(at_home: Gate) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    headers = [(b"host", b"localhost:8000"), (b"origin", b"http://evil.com")]
    scope = {"type": "websocket", "headers": headers, "path": "/control", "query_string": b""}
    asyncio.run(at_home(scope, receive, send))
    assert [message["type"] for message in sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert sent[0]["status"] == 403


def test_a_qr_code_of_a_link() -> None:
    lines = qr_text("http://192.168.1.20:8000/?token=abcdefgh").splitlines()
    assert len(lines) > 10
    assert qr_text("http://a/") != qr_text("http://b/")


def test_wrong_tokens_do_not_lock_out_the_cookie(
    outside: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    answer = ask(outside, "GET", "http://show/", params={"token": TOKEN})
    remembered = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
    for number in range(12):
        ask(outside, "GET", f"http://show/?token={number}")
    assert ask(outside, "GET", "http://show/?token=11").status_code == 429
    assert ask(outside, "GET", "http://show/", headers=remembered).text == "inside"
    link = ask(outside, "GET", "http://show/", params={"token": TOKEN}, headers=remembered)
    assert link.status_code == 303  # opened again by the bookmark, or the QR code
    lines = [record.getMessage() for record in caplog.records]
    assert set(lines) == {"web page: 127.0.0.1 came with a wrong token"}


def test_a_cookie_cannot_be_made_from_the_token_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for secret in (b"this machine", b"this machine", b"another one"):
        monkeypatch.setattr(auth, "_secret", lambda secret=secret: secret)
        made.append(Gate(behind, ("0.0.0.0", 8000), TOKEN)._ticket)
    assert made[0] == made[1] != made[2]  # it outlives a restart


def test_a_machine_without_a_name_keeps_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "_MACHINE_ID", tmp_path / "none")
    monkeypatch.setenv("STREAM_DREAM_CACHE", str(tmp_path / "cache"))
    first = Gate(behind, ("0.0.0.0", 8000), TOKEN)._ticket
    assert Gate(behind, ("0.0.0.0", 8000), TOKEN)._ticket == first
    key = tmp_path / "cache" / "cookies.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.unlink()
    assert Gate(behind, ("0.0.0.0", 8000), TOKEN)._ticket != first
    monkeypatch.setenv("STREAM_DREAM_CACHE", str(key / "a file" / "above"))
    key.write_text("")
    assert Gate(behind, ("0.0.0.0", 8000), TOKEN)._ticket

#!/usr/bin/env python3
"""Attack a running live show: kill it while it records, stall it, send it nonsense, crowd it out.

Prints one JSON object a line. Needs the ``test`` extra; on Linux only.

    python scripts/attack_live.py           # everything, about eight minutes
    python scripts/attack_live.py kills     # one of: kills clients messages strangers
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import imageio_ffmpeg
from pythonosc.osc_message_builder import OscMessageBuilder
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

Row = dict[str, Any]

KILLS = 20
CLIENTS = 10
MESSAGES = 400
STRANGERS = 300
TOKEN = "of the operator"
FPS = 25.0


class Command:
    """``stream-dream live`` on the test picture, and the status that it prints."""

    def __init__(self, *options: str, folder: Path | None = None) -> None:
        """Start it and wait for its first status."""
        base = ["--source", "test", "--json", "--quiet", "--presets", "dogs", "--dream-size", "240"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stream_dream", "live", *base, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
        )
        self.statuses: list[Row] = []
        self.log: list[str] = []
        self.begun: float | None = None
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_log, daemon=True).start()
        self.wait_for(lambda: self.begun is not None)

    def wait_for(self, condition: Any) -> None:
        """Wait until a condition holds."""
        while not condition():
            if self.process.poll() is not None:
                sys.exit("the show has ended")
            time.sleep(0.05)

    def rate(self, seconds: float) -> float:
        """Return frames dreamed per second, over some seconds."""
        first = self.statuses[-1]
        time.sleep(seconds)
        last = self.statuses[-1]
        return float((last["dreamed"] - first["dreamed"]) / (last["uptime"] - first["uptime"]))

    def files(self) -> int:
        """Return the number of open files and sockets."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def kill(self) -> float:
        """Kill it and its ffmpeg, and return how many seconds were shown."""
        listed = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        moment = time.monotonic()
        self.process.kill()
        for pid in listed.stdout.split():
            subprocess.run(["kill", "-9", pid], check=False, stderr=subprocess.DEVNULL)
        self.process.wait()
        assert self.begun is not None
        return moment - self.begun

    def close(self) -> None:
        """Terminate it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            status = json.loads(line)
            if status["event"] != "status":
                continue
            if self.begun is None:
                self.begun = time.monotonic() - status["uptime"]
            self.statuses.append(status)

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)


def film_seconds(path: Path) -> float | None:
    """Return how much of a film can be decoded; None if it does not play."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    done = subprocess.run(
        [*command, "-map", "0:v", "-f", "null", "-"], capture_output=True, text=True, check=False
    )
    frames = re.findall(r"frame=\s*(\d+)", done.stderr)
    return None if done.returncode or not frames else int(frames[-1]) / FPS


def kills() -> Iterator[Row]:
    """Kill shows at random moments while they record, a new film every six seconds."""
    rng, losses, broken = random.Random(5), [], 0
    for number in range(KILLS):
        with tempfile.TemporaryDirectory() as name:
            options = ("--record", "show.mkv", "--record-minutes", "0.1")
            show = Command(*options, folder=Path(name))
            time.sleep(rng.uniform(1, 9))
            shown = show.kill()
            films = [film_seconds(path) for path in Path(name).glob("*.mkv")]
        broken += films.count(None)
        losses.append(shown - sum(film or 0.0 for film in films))
        yield {"figure": "kills", "number": number, "shown": shown, "lost": losses[-1]}
    yield {"figure": "kills", "worst": max(losses), "films_that_do_not_play": broken}


def free_port(kind: socket.SocketKind) -> int:
    """Return a free port."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clients() -> Iterator[Row]:
    """Connect clients that ask for the picture and never read it."""
    port = free_port(socket.SOCK_STREAM)
    show = Command("--web", f"127.0.0.1:{port}")
    with closing(show):
        show.wait_for(lambda: show.statuses[-1]["ready"])
        alone = show.rate(15)
        stalled = []
        for _ in range(CLIENTS):
            client = socket.create_connection(("127.0.0.1", port))
            client.sendall(b"GET /stream.mjpeg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            stalled.append(client)
        beset = show.rate(8)
        for client in stalled:
            client.close()
    yield {"figure": "clients", "fps_alone": alone, "fps": beset, "ratio": beset / alone}


def messages() -> Iterator[Row]:
    """Send invalid messages over WebSocket, HTTP and OSC."""
    port, osc = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
    show = Command("--web", f"127.0.0.1:{port}", "--osc", str(osc))
    rng, address = random.Random(1), f"127.0.0.1:{port}"
    with closing(show):
        refused = {"websocket": _by_websocket(address, rng), "http": _by_http(address, rng)}
        _by_osc(osc, rng)
        time.sleep(1)
        with urllib.request.urlopen(f"http://{address}/settings") as answer:
            strength = json.load(answer)["strength"]
        fps = show.rate(6)
    valid = 0 <= strength <= 2
    yield {"figure": "messages", "sent": 3 * MESSAGES, **refused, "valid": valid, "fps": fps}


def _by_websocket(address: str, rng: random.Random) -> int:
    """Return the number of refusals."""
    bad = ['{"set":{"strength":NaN}}', '{"set":{"strength":1e999}}', '{"set":{"x":1}}', "[]"]
    bad += ["x" * 2000, "null", '{"preset":"no"}', '{"press":"boom"}', '{"set":{"jitter":[1]}}']
    refused = 0
    with connect(f"ws://{address}/control", origin=f"http://{address}") as control:  # type: ignore[arg-type]
        for _ in range(MESSAGES):
            control.send(rng.choice([*bad, rng.randbytes(20)]))
            time.sleep(0.012)
        with suppress(TimeoutError):
            while refused < MESSAGES:
                refused += "error" in json.loads(control.recv(timeout=2))
    return refused


def _by_http(address: str, rng: random.Random) -> int:
    bad = [b"{", b"nan", b'{"strength":"x"}', b'{"octaves":99}', b"\xff" * 100, b"x" * 70_000]
    refused = 0
    for _ in range(MESSAGES):
        request = urllib.request.Request(
            f"http://{address}/settings", rng.choice(bad), method="PUT"
        )
        try:
            urllib.request.urlopen(request).close()
        except (urllib.error.HTTPError, ConnectionError, urllib.error.URLError):
            refused += 1
    return refused


def _by_osc(port: int, rng: random.Random) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(MESSAGES):
            message = OscMessageBuilder(rng.choice(["/stream_dream/strength", "/nope", "/preset"]))
            message.add_arg(rng.choice([float("nan"), 1e30, "x", b"\x00", -5]))
            junk = [message.build().dgram, rng.randbytes(60), b"#bundle\0" + rng.randbytes(20)]
            sender.sendto(rng.choice(junk), ("127.0.0.1", port))
            time.sleep(0.003)


def strangers() -> Iterator[Row]:
    """Crowd an operator out by connections and requests from the operator's own address."""
    port = free_port(socket.SOCK_STREAM)
    show = Command("--web", f"0.0.0.0:{port}", "--token", TOKEN)
    attacks = {
        "wrong_tokens": _wrong_tokens,
        "silent_sockets": _silent,
        "half_heads": partial(_begun, b"GET / HTTP/1.1\r\nHost: a"),
        "half_bodies": partial(
            _begun, b"PUT /settings HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n{"
        ),
        "byte_by_byte": _byte_by_byte,
        "malformed_requests": partial(_begun, b"GET / HTTP/9\r\n\r\n"),
        "refused_sockets": _refused_sockets,
    }
    with closing(show):
        show.wait_for(lambda: show.statuses[-1]["ready"])
        cookie = _cookie(port)
        yield {"figure": "nothing", **_visits(port, cookie), "fps": show.rate(6)}
        for name, attack in attacks.items():
            lines, files = len(show.log), show.files()
            with ExitStack() as stack:
                attack(port, stack)
                row = _visits(port, cookie)
                row |= {"files_more": show.files() - files, "fps": show.rate(6)}
                begun = time.monotonic()
                while show.files() > files + 2 and time.monotonic() < begun + 30:
                    time.sleep(0.1)
                row["left_after"] = time.monotonic() - begun + 6
            yield {"figure": name, **row, "lines": len(show.log) - lines}


def _cookie(port: int) -> str:
    """Open the page with the token and return what the browser keeps."""
    client = HTTPConnection("127.0.0.1", port)
    client.request("GET", "/?" + urlencode({"token": TOKEN}), headers={"Accept": "text/html"})
    answer = client.getresponse()
    return (answer.getheader("Set-Cookie") or "").partition(";")[0]


def _visits(port: int, cookie: str) -> Row:
    """Return how many of ten visits of the operator succeed, and how long the slowest takes."""
    answered, longest = 0, 0.0
    for _ in range(10):
        begun = time.monotonic()
        with suppress(OSError, HTTPException), closing(_client(port)) as client:
            client.request("GET", "/settings", headers={"Cookie": cookie})
            answered += client.getresponse().status == 200
        longest = max(longest, time.monotonic() - begun)
    return {"visits": answered, "slowest_ms": 1000 * longest}


def _client(port: int) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", port, timeout=5)


def _wrong_tokens(port: int, stack: ExitStack) -> None:
    for number in range(40):
        with closing(_client(port)) as client:
            client.request("GET", f"/settings?token={number}")
            client.getresponse()


def _silent(port: int, stack: ExitStack) -> None:
    for _ in range(STRANGERS):
        with suppress(OSError):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))


def _begun(sent: bytes, port: int, stack: ExitStack) -> None:
    for _ in range(STRANGERS):
        with suppress(OSError):
            client = socket.create_connection(("127.0.0.1", port), 5)
            stack.enter_context(client)
            client.sendall(sent)


def _byte_by_byte(port: int, stack: ExitStack) -> None:
    """Leave connections behind that go on sending a byte each second."""
    clients: list[socket.socket] = []
    for _ in range(20):
        clients.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), 5)))

    def send() -> None:
        for byte in b"GET / HTTP/1.1\r\nHost: " + b"a" * 30:
            for client in clients:
                with suppress(OSError):
                    client.sendall(bytes([byte]))
            time.sleep(1)

    threading.Thread(target=send, daemon=True).start()


def _refused_sockets(port: int, stack: ExitStack) -> None:
    for _ in range(STRANGERS):
        with suppress(InvalidStatus), connect(f"ws://127.0.0.1:{port}/control"):
            pass


def main() -> None:
    """Run the selected attacks."""
    attacks = {
        "kills": kills,
        "clients": clients,
        "messages": messages,
        "strangers": strangers,
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=", ".join(attacks))
    chosen = parser.parse_args().attacks or list(attacks)
    if unknown := set(chosen) - set(attacks):
        parser.error(f"no such attack: {unknown.pop()}; choose from {', '.join(attacks)}")
    for name in chosen:
        for row in attacks[name]():
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()

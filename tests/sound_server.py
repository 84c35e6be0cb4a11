"""A sound server with cards of its own, for tests and benches: Debian's PulseAudio."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from waiting import wait_for

PROGRAMS = ("pulseaudio", "pactl", "pacat")
SPEAKERS = ("hall", "booth")
MICROPHONE = "stage"
PLAYED_RATE = 44_100


def is_installed() -> bool:
    """Return whether this machine has PulseAudio's programs."""
    return all(shutil.which(program) for program in PROGRAMS)


def speaker(name: str) -> tuple[str, ...]:
    """Return the module of a speaker that plays into nothing, and its arguments."""
    described = f"sink_properties=device.description={name.title()}"
    return "module-null-sink", f"sink_name={name}", described


class SoundServer:
    """A server with two speakers that play into nothing, and a silent microphone.

    Attributes:
        variables: Environment variables by which its clients find it.
    """

    def __init__(self, folder: Path) -> None:
        """Prepare a server whose socket lies in a folder with a short path."""
        self._folder = folder
        self.variables = {
            "PULSE_SERVER": f"unix:{folder}/socket",
            "PULSE_RUNTIME_PATH": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
        }
        self._environment = {**os.environ, **self.variables}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        modules = [f"module-native-protocol-unix socket={self._folder}/socket auth-anonymous=1"]
        modules += [" ".join(speaker(name)) for name in SPEAKERS]
        modules.append(f"module-null-source source_name={MICROPHONE} description={MICROPHONE}")
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1"]
        command += ["--use-pid-file=no", "--system=no"]
        for module in modules:
            command += ["-L", module]
        home = {"HOME": str(self._folder), "XDG_CONFIG_HOME": str(self._folder)}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env={**self._environment, **home}, stdout=log, stderr=log
            )
        wait_for(lambda: self._ended() or self._ask("info").returncode == 0)
        assert not self._ended(), (self._folder / "log").read_text()
        self.control("set-default-sink", SPEAKERS[0])
        self.control("set-default-source", MICROPHONE)

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """Kill it, as a crash does; without one that runs, do nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def control(self, *arguments: str) -> None:
        """Call ``pactl``."""
        done = self._ask(*arguments)
        assert done.returncode == 0, done.stderr

    def play(
        self, sound: NDArray[np.float32], speaker: str = SPEAKERS[0]
    ) -> subprocess.Popen[bytes]:
        """Play mono sound, float32 at ``PLAYED_RATE``; return the player, which ends with it."""
        path = self._folder / f"{speaker}.raw"
        path.write_bytes(sound.astype("<f4").tobytes())
        command = ["pacat", "--raw", f"--device={speaker}", f"--rate={PLAYED_RATE}"]
        command += ["--channels=1", "--format=float32le", "--latency-msec=20", str(path)]
        return subprocess.Popen(command, env=self._environment)

    def _ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def _ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pactl", *arguments], env=self._environment, capture_output=True, text=True
        )


@contextmanager
def running() -> Iterator[SoundServer]:
    """Run a server; its clients must be given its variables."""
    # The path of a socket has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="sound-", dir="/tmp"))
    server = SoundServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)

"""The command line in a process that tests can stop and kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from waiting import SECONDS


class Command:
    """A command that prints JSON, in a session of its own, which identifies its processes."""

    def __init__(self, *arguments: object) -> None:
        """Start the command."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stream_dream", *map(str, arguments), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_until(self, reached: Callable[[dict[str, Any]], bool]) -> None:
        """Wait for a line of JSON that meets the condition."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if reached(json.loads(line)):
                return
        raise AssertionError(self.process.communicate())

    def wait_until_dreaming(self) -> None:
        """Wait until frames have been dreamed."""
        self.wait_until(lambda said: said.get("stage") == "dreaming" and said["done"] > 0)

    def wait_until_stopping(self) -> None:
        """Wait until the command reports that it is stopping."""
        self.wait_until(lambda said: bool(said.get("stopping")))

    def stop(self, number: signal.Signals) -> None:
        """Send a signal to the process group, as a terminal does."""
        os.killpg(self.process.pid, number)

    def ended(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and standard error."""
        _, errors = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, errors

    def processes(self) -> dict[int, str]:
        """Return its running processes: command lines by process id."""
        listed = subprocess.run(
            ["ps", "-eo", "pid=,sid=,stat=,args="], capture_output=True, text=True, check=True
        ).stdout
        rows = (line.split(None, 3) for line in listed.splitlines())
        ours = str(self.process.pid)
        return {int(pid): args for pid, sid, stat, args in rows if sid == ours and stat[0] != "Z"}

    def left(self) -> dict[int, str]:
        """Return the processes that stay; a killed one needs a moment to release its memory."""
        late = time.monotonic() + 60
        while (left := self.processes()) and time.monotonic() < late:
            time.sleep(0.05)
        return left

    def end(self) -> None:
        """Kill all processes that a test has left."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.communicate()


def one_line(text: str) -> str:
    """Return the only line of a text."""
    assert text.endswith("\n")
    assert text.count("\n") == 1, text
    return text.strip()

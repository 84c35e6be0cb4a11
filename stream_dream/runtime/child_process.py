"""Child processes that talk through pipes."""

from __future__ import annotations

import subprocess
from contextlib import suppress


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, reap it and close its input and output; calling it again does nothing."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError, ValueError):  # not written; closed by another thread
                pipe.close()

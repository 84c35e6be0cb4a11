"""X11 screens without hardware."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from waiting import SECONDS


@contextmanager
def display(size: str) -> Iterator[str]:
    """Start a screen of a size such as ``320x200`` and yield its name; skip without Xvfb."""
    if not shutil.which("Xvfb"):
        pytest.skip("needs Xvfb")
    reader, writer = os.pipe()
    # Without -noreset the server restarts when its last client leaves, and may refuse the next one
    # meanwhile.
    options = ["-screen", "0", f"{size}x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), *options],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        with os.fdopen(reader) as number:
            yield f":{number.readline().strip()}"
    finally:
        server.terminate()
        server.wait(SECONDS)

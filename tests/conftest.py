"""Fixtures shared by all tests."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import synthetic
from gates import Gate

from stream_dream.cli import app
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.validation import validated

# Tests import TensorFlow without silencing it, but compare what reaches stderr.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# By default Ray's workers are nice and starve beside busy programs.
os.environ.setdefault("RAY_worker_niceness", "0")

# Background jobs of a shell ignore SIGINT, those of nohup SIGHUP, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):  # Windows has none
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def no_defaults(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's own defaults and looks out of the tests."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.getbasetemp() / "config")
    os.environ.pop("STREAM_DREAM_CONFIG", None)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep weights out of the user's own cache."""
    monkeypatch.setenv("STREAM_DREAM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def tiny() -> Callable[..., DreamSettings]:
    """Return a function that creates settings for the tiny network."""
    synthetic.register_tiny()

    def make(**values: Any) -> DreamSettings:
        small = {"network": synthetic.TINY, "layer": ["conv2"], "octaves": 2, "warm_up": 2}
        return validated(DreamSettings, {**small, "jitter": 4, "cadence": 1, **values})

    return make


@pytest.fixture
def gate(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Gate]:
    """Return a gate that can hold the chunks of a film."""
    made = Gate(tmp_path_factory.mktemp("gate"), monkeypatch)
    yield made
    made.open()


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command; it returns exit code, stdout and stderr."""
    monkeypatch.setattr(app, "Signals", lambda: None)
    monkeypatch.setenv("STREAM_DREAM_DEBUG", "0")  # restored after --debug has set it

    def exit_at_once(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", exit_at_once)
    # A show logs to its test's standard error, which is closed when the next show logs.
    log = logging.getLogger("stream_dream.live")
    monkeypatch.setattr(log, "handlers", [*log.handlers])
    monkeypatch.setattr(log, "propagate", log.propagate)
    monkeypatch.setattr(log, "level", log.level)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stream-dream", *arguments])
        with pytest.raises(SystemExit) as ended:
            app.main()
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    return call

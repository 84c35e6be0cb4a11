"""Metrics of a show, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from stream_dream.live.status import CameraState, LiveStatus

_PREFIX = "stream_dream_"


def metrics(status: LiveStatus, clients: Mapping[str, int]) -> str:
    """Return the text exposition (version 0.0.4); ``clients`` counts them by connection."""
    return "".join(f"{line}\n" for line in _lines(status, clients))


def _lines(status: LiveStatus, clients: Mapping[str, int]) -> Iterator[str]:
    yield from _metric("fps", "gauge", "Frames shown per second.", status.fps)
    yield from _metric("target_fps", "gauge", "Frames per second to hold.", status.target_fps)
    yield from _metric(
        "latency_seconds",
        "gauge",
        "Time from the camera handing over a frame to its being shown.",
        status.latency_ms / 1000,
    )
    for name, what in (
        ("captured", "Frames taken from the camera."),
        ("dropped", "Captured frames that were not dreamed."),
        ("dreamed", "Frames dreamed."),
    ):
        yield from _metric(f"frames_{name}_total", "counter", what, getattr(status, name))
    states = {state: int(state == status.camera) for state in get_args(CameraState)}
    yield from _metric("camera_state", "gauge", "1 for the state of the camera.", states, "state")
    yield from _metric("clients", "gauge", "Clients of the web page.", clients, "kind")
    yield from _metric(
        "dream_size_pixels",
        "gauge",
        "Longer side that gradients are computed at.",
        status.dream_size,
    )
    yield from _metric("frozen", "gauge", "1 while the picture is held.", int(status.frozen))
    yield from _metric(
        "recording", "gauge", "1 while a film is recorded.", int(status.recording is not None)
    )
    yield from _metric(
        "uptime_seconds", "gauge", "Time since the first frame was shown.", status.uptime
    )


def _metric(
    name: str, kind: str, what: str, value: float | Mapping[str, int], label: str = ""
) -> Iterator[str]:
    yield f"# HELP {_PREFIX}{name} {what}"
    yield f"# TYPE {_PREFIX}{name} {kind}"
    if isinstance(value, Mapping):
        for key, number in value.items():
            yield f'{_PREFIX}{name}{{{label}="{key}"}} {number}'
    else:
        yield f"{_PREFIX}{name} {value:.10g}"

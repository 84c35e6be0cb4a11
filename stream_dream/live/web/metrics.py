"""Metrics of a show, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from stream_dream.live.status import CameraState, LiveStatus


def metrics(status: LiveStatus, clients: Mapping[str, int]) -> str:
    """Return the text exposition (version 0.0.4); ``clients`` counts them by connection."""
    states = {f'{{state="{state}"}}': state == status.camera for state in get_args(CameraState)}
    kinds = {f'{{kind="{kind}"}}': count for kind, count in clients.items()}
    sending = {
        f'{{output="{_escaped(name)}"}}': state == "sending"
        for name, state in status.outputs.items()
    }
    latency = "Time from the camera handing over a frame to its being shown."
    rows: tuple[tuple[str, str, float | Mapping[str, int]], ...] = (
        ("fps", "Frames shown per second.", status.fps),
        ("target_fps", "Frames per second to hold.", status.target_fps),
        ("latency_seconds", latency, status.latency_ms / 1000),
        ("frames_captured_total", "Frames taken from the camera.", status.captured),
        ("frames_dropped_total", "Captured frames that were not dreamed.", status.dropped),
        ("frames_dreamed_total", "Frames dreamed.", status.dreamed),
        ("camera_state", "1 for the state of the camera.", states),
        ("clients", "Clients of the web page.", kinds),
        ("dream_size_pixels", "Longer side that gradients are computed at.", status.dream_size),
        ("frozen", "1 while the picture is held.", status.frozen),
        ("recording", "1 while a film is recorded.", status.recording is not None),
        ("frames_unrecorded", "Frames that the present film lacks.", status.unrecorded),
        ("output_sending", "1 while a receiver takes the picture.", sending),
        ("bpm", "Pace of the beat.", status.bpm),
        ("uptime_seconds", "Time since dreaming began.", status.uptime),
    )
    lines = []
    for short, what, value in rows:
        name, kind = f"stream_dream_{short}", "counter" if short.endswith("_total") else "gauge"
        lines += [f"# HELP {name} {what}", f"# TYPE {name} {kind}"]
        values = value if isinstance(value, Mapping) else {"": value}
        lines += [f"{name}{label} {number:.10g}" for label, number in values.items()]
    return "\n".join(lines) + "\n"


def _escaped(label: str) -> str:
    """Return the value of a label, as the text format quotes it."""
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

"""Writes the report of a render as JSON, with a checksum of every frame."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stream_dream.errors import SinkError
from stream_dream.film.events import FilmSummary
from stream_dream.film.job.job_file import versions
from stream_dream.film.request import RenderRequest
from stream_dream.frame import FrameReport
from stream_dream.media.write.atomic import write_bytes


def write_report(
    path: Path, request: RenderRequest, reports: Sequence[FrameReport], *, overwrite: bool = False
) -> None:
    """Write the report of a render in one piece. Raises ``SinkError``."""
    checksums = [report.checksum for report in reports]
    data = _common(request, request.target) | {"checksums": checksums}
    _write(path, data, "", overwrite=overwrite)


def write_film_report(
    path: Path, request: RenderRequest, summary: FilmSummary, *, overwrite: bool = False
) -> None:
    """Write the report of a film. Raises ``SinkError``."""
    chunks = [
        {
            "number": record.number,
            "shot": chunk.shot,
            "first": chunk.first,
            "frames": record.frames,
            "seconds": round(record.seconds, 3),
            "worker": record.worker,
            "attempts": record.attempts,
        }
        for record in summary.records
        for chunk in [summary.plan.chunks[record.number]]
    ]
    checksums = [checksum for record in summary.records for checksum in record.checksums]
    more = {"retries": summary.retries, "chunks": chunks, "checksums": checksums}
    once_more = ": give another --report with --resume"
    data = _common(request, summary.target) | more
    _write(path, data, once_more, overwrite=overwrite)


def _common(request: RenderRequest, target: Path) -> dict[str, Any]:
    return {
        "source": str(request.source),
        "target": str(target),
        "made_with": versions(),
        "dream": request.dream.model_dump(mode="json"),
        "output": request.output.model_dump(mode="json"),
        "journey": request.journey and request.journey.model_dump(mode="json"),
        "automation": request.automation.model_dump(mode="json", exclude_defaults=True),
    }


def _write(path: Path, data: dict[str, Any], hint: str, *, overwrite: bool) -> None:
    try:
        write_bytes(path, f"{json.dumps(data, indent=1)}\n".encode(), overwrite=overwrite)
    except SinkError as error:
        raise SinkError(f"{error}; the result itself is done{hint}") from error

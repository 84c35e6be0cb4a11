"""A render that dreams nothing, for tests of the command line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from stream_dream.film.one_piece import RenderSummary
from stream_dream.frame import FrameReport, StreamInfo
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import OutputSettings

REPORTS = [FrameReport(i, {"ascent": 0.1}, 1.5 if i else None, 0.9) for i in range(2)]


class FakeRender:
    """Replaces ``render``: records its arguments and reports two frames."""

    def __init__(self) -> None:
        """Create a render that neither fails nor warns."""
        self.asked: dict[str, Any] = {}
        self.error: BaseException | None = None
        self.warning: str | None = None

    def __call__(
        self,
        source: Path,
        target: Path,
        dream: DreamSettings,
        output: OutputSettings,
        automation: Automation,
        **rest: Any,
    ) -> RenderSummary:
        """Record the arguments of ``render``."""
        self.asked = {"source": source, "target": target, "dream": dream, "output": output, **rest}
        self.asked["automation"] = automation
        if self.error is not None:
            raise self.error
        rest["on_start"](StreamInfo(size=(32, 24), fps=Fraction(25), frame_count=2))
        for report in REPORTS:
            rest["on_report"](report)
        return RenderSummary(
            target, 2, 0.5, 4.0, {"flow": 0.1, "ascent": 0.4}, self.warning, "software"
        )

#!/usr/bin/env python3
"""Write the tables of settings into the manual, from the settings models."""

from __future__ import annotations

from pathlib import Path

from stream_dream.cli.options import bounds, default_text, flag
from stream_dream.settings.automation import AutomationOptions
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import Heading, fact
from stream_dream.settings.film import ChunkSettings, FilmSettings, PlanSettings
from stream_dream.settings.journey import JourneySettings
from stream_dream.settings.live import LiveSettings, ShowParameters
from stream_dream.settings.output import LoopSettings, OutputSettings, StillSettings

PAGE = Path(__file__).resolve().parents[1] / "stream_dream" / "manual" / "settings.md"
BEGIN = "<!-- settings: made by scripts/settings_table.py, checked by a test -->\n"
END = "<!-- /settings -->\n"
MODELS = {
    DreamSettings: "all",
    OutputSettings: "render",
    FilmSettings: "render",
    PlanSettings: "plan",
    StillSettings: "image",
    LoopSettings: "loop",
    JourneySettings: "journey",
    ChunkSettings: "journey",
    AutomationOptions: "render, loop, journey, plan",
    ShowParameters: "live",
    LiveSettings: "live",
}


def table() -> str:
    """Return the settings as Markdown tables, one for each heading."""
    # A setting of several commands has one row; a different one of the same name has its own.
    commands: dict[tuple[str, str | None], list[str]] = {}
    for model, command in MODELS.items():
        for name, field in model.model_fields.items():
            commands.setdefault((name, field.description), []).append(command)
    rows: dict[str, list[str]] = {heading: [] for heading in Heading}
    for model, command in MODELS.items():
        for name, field in model.model_fields.items():
            used = commands[name, field.description]
            if used[0] != command:
                continue
            option, range_ = flag(model, name), bounds(field).replace("|", "\\|")
            default = default_text(field.default)
            rows[fact(field, "heading")].append(
                f"| `{option}` | {', '.join(used)} | {field.description} | {range_} | {default} |\n"
            )
    head = "| option | for | what | range | default |\n| --- | --- | --- | --- | --- |\n"
    tables = [f"## {heading}\n\n{head}{''.join(lines)}" for heading, lines in rows.items() if lines]
    return "\n".join(tables)


def filled(page: str) -> str:
    """Return the page's text with current tables."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

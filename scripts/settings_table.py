#!/usr/bin/env python3
"""Write the table of settings into README.md, from the settings models."""

from __future__ import annotations

from pathlib import Path

from stream_dream.options import bounds, default_text, flag
from stream_dream.settings import DreamSettings, OutputSettings, StillSettings

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN = "<!-- settings: made by scripts/settings_table.py, checked by a test -->\n"
END = "<!-- /settings -->\n"
MODELS = {DreamSettings: "both", OutputSettings: "render", StillSettings: "image"}


def table() -> str:
    """Return the settings as a Markdown table."""
    lines = ["| option | for | what | range | default |", "| --- | --- | --- | --- | --- |"]
    for model, command in MODELS.items():
        for name, field in model.model_fields.items():
            option = flag(model, name)
            range_ = bounds(field).replace("|", "\\|")
            default = default_text(field.default)
            lines.append(f"| `{option}` | {command} | {field.description} | {range_} | {default} |")
    return "\n".join(lines) + "\n"


def filled(readme: str) -> str:
    """Return the README's text with the present table."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")

#!/usr/bin/env python3
"""Write the table of settings into README.md, from the settings models."""

from __future__ import annotations

from pathlib import Path

from stream_dream.options import bounds, default_text, flag
from stream_dream.settings import DreamSettings, LoopSettings, OutputSettings, StillSettings

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN = "<!-- settings: made by scripts/settings_table.py, checked by a test -->\n"
END = "<!-- /settings -->\n"
MODELS = {
    DreamSettings: "all",
    OutputSettings: "render",
    StillSettings: "image",
    LoopSettings: "loop",
}


def table() -> str:
    """Return the settings as a Markdown table."""
    lines = ["| option | for | what | range | default |", "| --- | --- | --- | --- | --- |"]
    commands: dict[str, list[str]] = {}
    for model, command in MODELS.items():
        for name in model.model_fields:
            commands.setdefault(name, []).append(command)
    for model, command in MODELS.items():
        for name, field in model.model_fields.items():
            if commands[name][0] != command:
                continue  # it has its line already
            option, used = flag(model, name), ", ".join(commands[name])
            range_ = bounds(field).replace("|", "\\|")
            default = default_text(field.default)
            lines.append(f"| `{option}` | {used} | {field.description} | {range_} | {default} |")
    return "\n".join(lines) + "\n"


def filled(readme: str) -> str:
    """Return the README's text with the present table."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")

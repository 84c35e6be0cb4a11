"""The command ``stream-dream help``."""

from __future__ import annotations

import difflib
import re
import sys
from importlib import resources
from typing import Annotated

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.answers import ListedPage, ManualAnswer
from stream_dream.cli.options import AsJson, Debug, print_table
from stream_dream.errors import SettingsError

_MANUAL = resources.files("stream_dream") / "manual"
# In the order of the list.
TOPICS = (
    "films",
    "music",
    "live",
    "loops",
    "journeys",
    "pictures",
    "networks",
    "settings",
    "python",
    "pipelines",
    "configuration",
    "coming-from",
    "plugins",
    "how-it-works",
    "measured",
    "limits",
    "troubleshooting",
)


def show_manual(
    topic: Annotated[
        str | None, typer.Argument(help="The page; all of them are listed if none is given.")
    ] = None,
    as_json: AsJson = False,
    _: Debug = False,
) -> None:
    """Show a page of the manual, or list its pages."""
    if topic is None:
        rows = [(name, page(name).splitlines()[0].removeprefix("# ")) for name in TOPICS]
        if as_json:
            pages = tuple(ListedPage(topic=name, title=title) for name, title in rows)
            json_lines.emit(ManualAnswer(pages=pages))
        else:
            print_table(rows, "topic", "what it is about")
        return
    text = page(topic)
    if as_json:
        json_lines.emit(ManualAnswer(topic=topic, text=text))
        return
    if not sys.stdout.isatty():
        typer.echo(text, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(_without_pictures(text)))


def page(topic: str) -> str:
    """Return a page of the manual as Markdown.

    Raises:
        SettingsError: There is no such page.
    """
    if topic not in TOPICS:
        near = difflib.get_close_matches(topic, TOPICS, n=1) or TOPICS
        raise SettingsError(
            f"the manual has no page {topic!r}: did you mean {near[0]}? (all of them: stream-dream "
            "help; the options of a command: stream-dream COMMAND --help)"
        )
    return (_MANUAL / f"{topic}.md").read_text("utf-8")


def _without_pictures(text: str) -> str:
    """Remove pictures, which a terminal cannot show, and comments."""
    return re.sub(r"^(!\[.*\]\(.*\)|<!--.*-->)\n", "", text, flags=re.MULTILINE)

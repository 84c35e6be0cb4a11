"""What commands have in common: the user's defaults, and options under headings."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from stream_dream.cli import json_lines
from stream_dream.cli.defaults import add_defaults
from stream_dream.settings.fields import Heading

_MOST_IN_ONE_LIST = 20  # options in --help


class Command(TyperCommand):
    """A command that takes the user's defaults.

    Its ``--help`` sorts options under headings if there are many.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command with the user's defaults for options that are not given."""
        json_lines.parsed(as_json=ctx.params["as_json"])
        add_defaults(str(self.name), ctx.params)
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options in the order of the headings."""
        params = self.get_params(ctx)
        if len(params) <= _MOST_IN_ONE_LIST:
            super().format_options(ctx, formatter)
            return
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], **{h: [] for h in Heading}}
        for param in params:
            record = param.get_help_record(ctx)
            if record is not None:
                usual = "Arguments" if param.param_type_name == "argument" else Heading.GENERAL
                sections[getattr(param, "rich_help_panel", None) or usual].append(record)
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

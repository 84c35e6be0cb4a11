"""The control surface as an OSCQuery namespace (OSCQuery proposal 1.0, Vidvox)."""

from __future__ import annotations

from typing import Any

from stream_dream.live.control.catalogue import Control
from stream_dream.live.control.surface import Surface

_NONE, _READ_WRITE, _WRITE = 0, 3, 2


def namespace(surface: Surface) -> dict[str, Any]:
    """Return all addresses with types, ranges and values, as a tree of JSON values."""
    root: dict[str, Any] = _container("/")
    for control in surface.known().values():
        node, path = root, ""
        for part in control.address.split("/"):
            path += f"/{part}"
            node = node.setdefault("CONTENTS", {}).setdefault(part, _container(path))
        node |= _described(control, surface.value(control.address))
    return root


def _container(path: str) -> dict[str, Any]:
    return {"FULL_PATH": path, "ACCESS": _NONE}


def _described(control: Control, value: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"DESCRIPTION": control.help, "ACCESS": _READ_WRITE}
    if control.kind == "number":
        facts["TYPE"] = "i" if control.whole else "f"
        facts["RANGE"] = [{"MIN": control.low, "MAX": control.high}]
    elif control.kind in ("choice", "text"):
        facts["TYPE"] = "s"
        if control.choices:
            facts["RANGE"] = [{"VALS": list(control.choices)}]
    elif value is None and control.kind == "button":
        facts["TYPE"] = "N"  # clients take T and F for a switch, and send F every second time
    else:
        facts["TYPE"] = "T" if value else "F"
    if control.kind != "switch" and value is None:
        facts["ACCESS"] = _WRITE
    else:
        facts["VALUE"] = [value]
    return facts

"""Opens what ``--out`` names: streams, NDI, and the outputs of plug-ins."""

from __future__ import annotations

from stream_dream.errors import SettingsError, StreamDreamError, first_line
from stream_dream.live.output.ndi import NdiOutput
from stream_dream.live.output.stream_output import StreamOutput
from stream_dream.live.output.stream_target import SCHEMES, StreamTarget
from stream_dream.live.output.view import View
from stream_dream.runtime.plugins import OUTPUTS, Plugin, plugins, warn

_OWN = (*SCHEMES, "ndi")


def open_output(text: str) -> View:
    """Open a target of ``--out``.

    Raises:
        StreamDreamError: It is none, or cannot be opened.
    """
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if scheme == "ndi":
        return NdiOutput(rest)
    if scheme not in _OWN:
        offered = _offered()
        if colon and scheme in offered:
            return _opened(offered[scheme], rest)
        return StreamOutput(StreamTarget.parse(text, more=[f"{name}:..." for name in offered]))
    return StreamOutput(StreamTarget.parse(text))


def _offered() -> dict[str, Plugin]:
    """Return the outputs of plug-ins by name, not imported yet."""
    found: dict[str, Plugin] = {}
    for plugin in plugins(OUTPUTS):
        name = plugin.name.lower()
        if not (name.isascii() and name.isalnum()):
            problem = "a name has letters and digits alone"
        elif name in _OWN:
            problem = "stream-dream has one of that name"
        elif name in found:
            problem = f"{found[name].provider} has one of that name"
        else:
            found[name] = plugin
            continue
        warn(f"the output {plugin.name!r} of the plug-in {plugin.provider}", f"left out: {problem}")
    return found


def _opened(plugin: Plugin, rest: str) -> View:
    """Return the view that a plug-in opens. Raises ``StreamDreamError``."""
    shown = f"--out {plugin.name.lower()}:... of the plug-in {plugin.provider}"
    try:
        view = plugin.entry.load()(rest)
        missing = [name for name in ("show", "problem", "close") if not hasattr(view, name)]
    except StreamDreamError:
        raise
    except Exception as error:  # whatever a plug-in does is told in one line
        problem = f"cannot be opened: {type(error).__name__}: {first_line(error)}"
        raise SettingsError(f"{shown} {problem}") from error
    if missing:
        raise SettingsError(f"{shown} is no output: it has no {missing[0]}")
    opened: View = view
    return opened

"""The user's own folder: defaults of options, and looks by name."""

from __future__ import annotations

import os
from pathlib import Path

CONFIG_VARIABLE = "STREAM_DREAM_CONFIG"
"""Names another file than ``config.toml``, such as /dev/null for none."""


def user_folder() -> Path:
    """Return the folder, existing or not: ``~/.config/stream-dream`` on Linux."""
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    if os.path.isabs(configured):  # on macOS and Windows, too
        return Path(configured) / "stream-dream"
    import platformdirs

    return platformdirs.user_config_path("stream-dream", appauthor=False, roaming=True)


def config_file() -> Path:
    """Return the file with the user's defaults, existing or not."""
    return Path(os.environ.get(CONFIG_VARIABLE) or user_folder() / "config.toml")


def config_exists() -> bool:
    """Return whether there is that file; one that the variable names must be there."""
    return bool(os.environ.get(CONFIG_VARIABLE)) or os.path.lexists(config_file())


def looks_folder() -> Path:
    """Return the folder of the user's looks, existing or not."""
    return user_folder() / "looks"

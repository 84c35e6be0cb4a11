"""Every setting, once: its name, type, range, default, description and heading."""

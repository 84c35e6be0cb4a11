"""A film in the making, on the disk."""

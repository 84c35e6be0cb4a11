"""Named looks, one TOML file each."""

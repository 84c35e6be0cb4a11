"""Networks: what can be asked for by name, and their weights."""

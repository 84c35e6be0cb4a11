"""Films on a Ray cluster: the connection, the workers, and what travels between."""

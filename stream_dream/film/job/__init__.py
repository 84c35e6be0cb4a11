"""A job on disk: plan, chunks, records and the published result."""

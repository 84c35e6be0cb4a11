"""Who dreams the chunks of a film, and in which order."""

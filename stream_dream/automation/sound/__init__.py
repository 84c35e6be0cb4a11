"""What sound does over time: its loudness by band, its onsets, its beats."""

"""Settings that change over time: by a score, by a clip's shots, by sound."""

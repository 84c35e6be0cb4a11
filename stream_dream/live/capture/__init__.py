"""Sources of a show's frames, their framing and motion."""

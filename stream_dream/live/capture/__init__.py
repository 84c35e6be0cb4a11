"""Where a show's pictures come from."""

"""Where a show is seen and recorded."""

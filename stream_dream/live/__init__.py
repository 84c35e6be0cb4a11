"""Live shows: capture, dream, views and controls, built to run for days."""

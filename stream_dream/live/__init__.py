"""A camera that dreams: capture, dream, views and controls, for days."""

"""Renders of long films: planned, resumable, spread over processes and machines."""

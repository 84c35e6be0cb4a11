"""Threads of stages, priorities, quiet libraries and standard streams."""

"""What runs the rest: threads of stages, priorities, quiet libraries, standard streams."""

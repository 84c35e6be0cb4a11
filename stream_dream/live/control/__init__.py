"""What operators change: parameters, keys, OSC."""

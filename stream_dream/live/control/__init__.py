"""Controls of a show: parameters, keys, OSC."""

"""Views of a show: window, virtual camera, recordings; and snapshots."""

"""The shots and chunks of a film."""

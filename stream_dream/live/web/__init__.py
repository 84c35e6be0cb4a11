"""A live show as a web page: who may come in, what is served, what is said."""

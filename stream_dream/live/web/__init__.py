"""A live show as a web page: access control, routes, messages."""

"""One file per kind of request, each read from top to bottom."""

"""The engine: every accepted request is an operation that runs to its end."""

"""Exports: a volume made reachable for one attachment."""

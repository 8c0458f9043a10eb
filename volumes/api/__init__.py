"""Volumes, types, quotas, services and pools over HTTP, in the forms of Block Storage API v3."""

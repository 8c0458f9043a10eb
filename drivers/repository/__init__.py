"""Repositories: where backups go."""

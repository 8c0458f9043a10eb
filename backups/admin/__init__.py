"""The console's pages of backups."""

from backups.admin import backups  # noqa: F401

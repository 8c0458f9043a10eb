"""The console's pages of backups."""

from backups.admin import backups, schedules  # noqa: F401

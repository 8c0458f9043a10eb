"""The console's pages of backups."""

from backups.admin import backups, repositories, schedules  # noqa: F401

"""The console's pages of backups."""

from backups.admin import backups, repositories, schedule_runs, schedules  # noqa: F401

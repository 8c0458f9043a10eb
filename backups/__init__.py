"""Backups, repositories and schedules."""

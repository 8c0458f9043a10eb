from django.apps import AppConfig


class BackupsConfig(AppConfig):
    name = "backups"
    verbose_name = "Backups"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from backups import presence  # noqa: F401, PLC0415 - connects signals
        from backups.api.backup_filter import BackupFilter  # noqa: PLC0415 - needs the models
        from backups.api.schedule_filter import ScheduleFilter  # noqa: PLC0415 - the same
        from backups.services.restores import create_volume_of  # noqa: PLC0415 - the same
        from volumes.api.resource_filters import FILTERS  # noqa: PLC0415 - the same
        from volumes.sources import makers  # noqa: PLC0415 - the same

        FILTERS["backup"] = BackupFilter
        FILTERS["backup_schedule"] = ScheduleFilter
        makers["backup_id"] = create_volume_of

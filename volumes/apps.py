from django.apps import AppConfig


class VolumesConfig(AppConfig):
    name = "volumes"
    verbose_name = "Volumes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from volumes import presence  # noqa: F401, PLC0415 - connects signals

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "storage_project.operations"
    verbose_name = "Operations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from storage_project.operations import worker  # noqa: F401, PLC0415 - connects signals

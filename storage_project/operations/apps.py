from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "storage_project.operations"
    verbose_name = "Operations"
    default_auto_field = "django.db.models.BigAutoField"

from importlib import import_module

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "storage_project.identity"
    verbose_name = "Identity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # The checks look at views, which cannot be imported before all apps are ready.
        import_module("storage_project.identity.checks")

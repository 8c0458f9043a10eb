from django.apps import apps
from django.contrib import admin
from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """Django's admin, with our site as the one that `admin.register` registers with."""

    default_site = "storage_project.console.site.Console"

    def ready(self) -> None:
        super().ready()
        # Our users hold roles on projects; Django's groups mean nothing here.
        admin.site.unregister(apps.get_model("auth", "Group"))

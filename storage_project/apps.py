from django.apps import AppConfig


class StorageProjectConfig(AppConfig):
    name = "storage_project"
    verbose_name = "Khoi"

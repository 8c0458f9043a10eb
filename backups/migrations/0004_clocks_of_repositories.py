"""The clock of each repository goes into its row."""

from typing import Any

from django.db import migrations


def forwards(apps: Any, _: Any) -> None:
    repository = apps.get_model("backups", "Repository")
    for clock in apps.get_model("backups", "Clock").objects.all():
        repository.objects.update_or_create(
            name=clock.repository, defaults={"epoch": clock.epoch}
        )


def backwards(apps: Any, _: Any) -> None:
    clock = apps.get_model("backups", "Clock")
    for repository in apps.get_model("backups", "Repository").objects.all():
        clock.objects.update_or_create(
            repository=repository.name, defaults={"epoch": repository.epoch}
        )


class Migration(migrations.Migration):
    dependencies = [("backups", "0003_repositories")]

    operations = [migrations.RunPython(forwards, backwards)]

"""`manage.py detach VOLUME`: the end of what `manage.py attach` began."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from drivers.errors import ConfigurationError, DriverError
from storage_project.api.faults import Fault
from volumes.selectors import find_volume
from volumes.services.local import detach_here


class Command(BaseCommand):
    help = "Detach a volume from this machine; what is mounted from it must be unmounted first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("volume", help="its id, or its name if no other has that")

    def handle(self, *, volume: str, **options: Any) -> None:
        try:
            if not detach_here(volume=find_volume(volume)):
                raise CommandError(f"Volume {volume} is not attached to this machine.")
        except (Fault, DriverError, ConfigurationError) as error:
            raise CommandError(str(error)) from error

"""`manage.py attach VOLUME`: a volume as a block device of this machine; Khoi must be running."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from drivers.errors import ConfigurationError, DriverError
from storage_project.api.faults import Fault
from volumes.selectors import find_volume
from volumes.services.local import attach_here


class Command(BaseCommand):
    help = "Attach a volume that is a file on this machine as a loop device, and print that."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("volume", help="its id, or its name if no other has that")
        parser.add_argument("--read-only", action="store_true")

    def handle(self, *, volume: str, read_only: bool, **options: Any) -> None:
        try:
            device = attach_here(volume=find_volume(volume), read_only=read_only)
        except (Fault, DriverError, ConfigurationError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(str(device))

"""`manage.py prepare`: what `up` does first, for those who start the processes otherwise."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from drivers.errors import ConfigurationError
from storage_project.supervisor.addresses import DEFAULT_STORAGE_PORT, Address
from storage_project.supervisor.preparation import prepare_files, prepare_services


class Command(BaseCommand):
    help = "Write the configuration, migrate, make the first users, collect static files."

    def handle(self, **options: Any) -> None:
        url = settings.STORAGE_PUBLIC_URL or Address("127.0.0.1", DEFAULT_STORAGE_PORT).url
        try:
            accounts = prepare_files(auth_url=f"{url}/identity/v3")
        except ConfigurationError as error:
            raise CommandError(str(error)) from error
        prepare_services(accounts)
        self.stdout.write(f"Prepared; clients sign in with {settings.STORAGE_HOME / 'clouds.yaml'}")

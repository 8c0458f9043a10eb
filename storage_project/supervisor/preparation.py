"""What must be so before anything runs: configuration, schema, first users, static files."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connection
from kombu.exceptions import OperationalError as BrokerError

from storage_project.celery import app
from storage_project.config import configuration
from storage_project.identity.models import Role
from storage_project.identity.selectors import user_exists
from storage_project.identity.services import ensure_project, ensure_user, grant_role
from storage_project.supervisor.clouds import Account, write_clouds
from volumes.services.types import ensure_default_type

DEFAULT_CONFIGURATION = Path(__file__).with_name("default_storage.toml")
# Any number that nobody else locks on in this database.
PREPARATION_LOCK = 0x6B686F69


def prepare_files(*, auth_url: str) -> list[Account]:
    """Write the configuration and `clouds.yaml` where there is none; return the first accounts.

    `ConfigurationError` when what is there cannot be read.
    """
    if not settings.STORAGE_CONFIG.exists():
        shutil.copyfile(DEFAULT_CONFIGURATION, settings.STORAGE_CONFIG)
    configuration()
    return write_clouds(settings.STORAGE_HOME / "clouds.yaml", auth_url=auth_url)


def prepare_services(accounts: Sequence[Account]) -> None:
    """Bring everything to what this version expects. Any number of times, on any number of hosts.

    Ends the process with a sentence when the database or the broker does not answer.
    """
    _require_broker()
    try:
        with _one_at_a_time():
            call_command("migrate", interactive=False, verbosity=0)
            ensure_accounts(accounts)
            ensure_default_type()
    except OperationalError as error:
        sys.exit(f"The database does not answer: {error}".strip())
    call_command("collectstatic", interactive=False, verbosity=0)


def ensure_accounts(accounts: Sequence[Account]) -> None:
    """Make the first users, and those whose password in `clouds.yaml` was made anew right.

    What an operator has changed of the others since (a password, a role, being disabled) stays.
    """
    for account in accounts:
        if not account.is_new and user_exists(account.name):
            continue
        project = ensure_project(name=account.name)
        user = ensure_user(
            name=account.name,
            password=account.password,
            is_staff=account.role == "admin",
            default_project=project,
        )
        grant_role(user=user, project=project, role=Role.objects.get(name=account.role))


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two hosts that start at once must not migrate at once. SQLite is one host's own."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [PREPARATION_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [PREPARATION_LOCK])


def _require_broker() -> None:
    try:
        with app.connection_for_write(connect_timeout=5) as broker:
            broker.ensure_connection(max_retries=1, interval_start=1)
    except BrokerError as error:
        sys.exit(f"The broker does not answer: {error}")

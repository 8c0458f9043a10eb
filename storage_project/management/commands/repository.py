"""`manage.py repository …`: repositories by hand, on a machine that reaches them.

repository list
repository check NAME
repository scan NAME [--project PROJECT]
repository export-key NAME
repository add-key NAME --key-file FILE | --passphrase-file FILE
repository remove-key NAME ID
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups.contents import open_contents
from backups.engine.format import ID_BYTES
from backups.engine.verify import verify_records
from backups.keys import read_secret, secret_of
from backups.repositories import configured
from backups.services.scanning import Found, Outcome, scan_repository
from drivers.errors import ConfigurationError, DriverError
from drivers.units import GIB
from storage_project.config import configuration
from storage_project.identity.selectors import find_project


class Command(BaseCommand):
    help = "Look into a repository, bring back the backups in it, and manage its keys."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="what")
        acts.add_parser("list", help="The repositories of the configuration.")
        for act, what in (
            ("check", "Open it, look at all records, and say which keys open it."),
            ("scan", "Bring back the rows of all backups that are in it."),
            ("export-key", "Print the master key."),
            ("add-key", "Let one more key open it."),
            ("remove-key", "Let a key no longer open it."),
        ):
            one = acts.add_parser(act, help=what)
            one.add_argument("name", help="as in [repositories.<name>]")
            if act == "scan":
                one.add_argument(
                    "--project",
                    help="gets the backups of projects that there are not; by id or name",
                )
            elif act == "add-key":
                files = one.add_mutually_exclusive_group(required=True)
                files.add_argument("--key-file", type=Path, help="of at least 32 random bytes")
                files.add_argument("--passphrase-file", type=Path, help="with a passphrase")
            elif act == "remove-key":
                one.add_argument("key_id", metavar="id", help="as check says it")

    def handle(self, *, act: str, **options: Any) -> None:
        acts: dict[str, Callable[..., None]] = {
            "list": self.list_all,
            "check": self.check_one,
            "scan": self.scan,
            "export-key": self.export_key,
            "add-key": self.add_key,
            "remove-key": self.remove_key,
        }
        named = {
            key: options[key]
            for key in ("name", "project", "key_file", "passphrase_file", "key_id")
            if key in options
        }
        try:
            acts[act](**named)
        except DriverError as error:
            raise CommandError(f"{error.sentence} {error.detail}".strip()) from error
        except ConfigurationError as error:
            raise CommandError(str(error)) from error

    def list_all(self) -> None:
        for name in configuration().repositories:
            try:
                self.stdout.write(f"{name}: {_described(name)}")
            except DriverError as error:
                self.stdout.write(f"{name}: {error.sentence} {error.detail}".rstrip())

    def check_one(self, *, name: str) -> None:
        self.stdout.write(f"{name}: {_described(name)}")
        repository = open_contents(name)
        for wrapper_id, kind in repository.list_keys().items():
            self.stdout.write(f"key {wrapper_id.hex()}: {kind}")
        damages = verify_records(repository)
        for damage in damages:
            self.stdout.write(f"damaged: {damage.key}: {damage.error.sentence}")
        if damages:
            raise CommandError(f"{len(damages)} records are damaged.")
        self.stdout.write("All records are whole.")

    def scan(self, *, name: str, project: str | None) -> None:
        heir = project and _project_id(project)
        counted: Counter[Outcome] = Counter()
        homeless: set[str] = set()
        for found in scan_repository(name, heir=heir):
            counted[found.outcome] += 1
            self.stdout.write(_line(found))
            if found.project_id and find_project(project_id=found.project_id) is None:
                homeless.add(found.project_id)
        self.stdout.write(", ".join(f"{counted[each]} {each}" for each in Outcome))
        for project_id in sorted(homeless):
            self.stderr.write(
                f"There is no project {project_id}: only administrators see its backups, and can "
                f"restore them."
            )
        if counted[Outcome.UNREADABLE]:
            raise CommandError("Some backups cannot be read.")

    def export_key(self, *, name: str) -> None:
        repository = open_contents(name)
        if not repository.encrypts:
            raise CommandError(f"{name} is not encrypted: there is no key to keep.")
        self.stderr.write(
            "This is the master key: whoever has it can read every backup in the repository, for "
            "ever. Keep it where neither this machine nor the repository can take it along."
        )
        self.stdout.write(repository.export_key())

    def add_key(self, *, name: str, key_file: Path | None, passphrase_file: Path | None) -> None:
        # As the shell means it: relative to where the command is given.
        secret = read_secret(
            key_file and key_file.absolute(), passphrase_file and passphrase_file.absolute()
        )
        assert secret is not None
        self.stdout.write(f"key {open_contents(name).add_key(secret).hex()} was added")

    def remove_key(self, *, name: str, key_id: str) -> None:
        repository, secret = open_contents(name), secret_of(name)
        try:
            wrapper_id = bytes.fromhex(key_id)
        except ValueError:
            wrapper_id = b""
        if len(wrapper_id) != ID_BYTES:
            raise CommandError(f"{key_id} is not the id of a key: see repository check {name}.")
        if secret is not None and [*repository.list_keys(secret)] == [wrapper_id]:
            raise CommandError(
                "This is the key of the configuration: name another one there first."
            )
        repository.remove_key(wrapper_id)
        self.stdout.write(f"key {key_id} was removed")


def _described(name: str) -> str:
    repository = open_contents(name)
    stats = repository.driver.stats()
    parts = [
        configured(name).driver,
        "encrypted" if repository.encrypts else "not encrypted",
        f"{sum(1 for _ in repository.driver.list_objects('backups/'))} backups",
    ]
    if stats.free_bytes is not None:
        parts.append(f"{stats.free_bytes / GIB:.1f} GiB free")
    return ", ".join(parts)


def _project_id(text: str) -> str:
    found = find_project(project_id=text) or find_project(name=text)
    if found is None:
        raise CommandError(f"There is no project {text}.")
    return found.pk


def _line(found: Found) -> str:
    line = f"{found.backup_id} of volume {found.volume_id}: {found.outcome}"
    return f"{line}: {found.reason}" if found.reason else line

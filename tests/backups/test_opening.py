"""How repositories are opened: once, with their key, behind their bounds; and what is told of one
that cannot be."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from backups import contents
from backups.models import Backup
from backups.presence import _reporter
from backups.repositories import open_repository
from backups.services.backups import delete_backup
from backups.services.restores import restore_backup
from drivers.errors import ConfigurationError, DriverError, Reason
from drivers.repository.throttled import ThrottledRepository
from storage_project.operations.models import Message
from tests.operations.threads import at_once
from tests.operations.world import CONTENT, World
from volumes.models import Volume
from volumes.selectors import services

pytestmark = pytest.mark.django_db(transaction=True)

BACKEND = """
[backends.one]
driver = "file"
exports = ["file"]
path = "one"
[backends.two]
driver = "file"
exports = ["file"]
path = "two"
"""
DIRECTORY = """
[repositories.main]
driver = "directory"
path = "backups"
"""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "main.key"
    path.write_bytes(os.urandom(32))
    return path


def test_one_that_goes_away_is_down_until_it_is_back(
    configure: Callable[[str], None], tmp_path: Path
) -> None:
    configure(DIRECTORY)
    report = _reporter("main")
    report()
    (tmp_path / "backups").rename(tmp_path / "elsewhere")
    with pytest.raises(DriverError):
        report()
    service = services().get(binary="cinder-backup")
    assert not service.is_up
    assert service.down_reason.startswith("The repository's storage is missing")
    (tmp_path / "elsewhere").rename(tmp_path / "backups")
    report()
    assert services().get(binary="cinder-backup").is_up


# Bounds


def test_without_bounds_nothing_is_between(configure: Callable[[str], None]) -> None:
    configure(DIRECTORY)
    assert not isinstance(open_repository("main"), ThrottledRepository)


def test_bounds_are_of_the_repository_and_of_the_machine(configure: Callable[[str], None]) -> None:
    configure(
        """
        [copies]
        bytes_per_s = 5_000_000
        [repositories.main]
        driver = "memory"
        max_bytes_per_s = 1_000_000
        max_calls = 1
        [repositories.other]
        driver = "memory"
        """
    )
    main, other = open_repository("main"), open_repository("other")
    assert isinstance(main, ThrottledRepository)
    assert isinstance(other, ThrottledRepository)
    assert [each.bytes_per_s for each in main.throttles] == [1_000_000, 5_000_000]
    assert main.throttles[1] is other.throttles[0]


def test_threads_share_what_is_open(configure: Callable[[str], None]) -> None:
    configure(DIRECTORY)
    found = at_once(*[partial(contents.open_contents, "main")] * 8)
    assert len({id(each) for each in found}) == 1


# Keys


def test_a_repository_with_a_key_is_encrypted(
    configure: Callable[[str], None], world: World, key: Path, tmp_path: Path
) -> None:
    with capture_logs() as logs:
        configure(BACKEND + DIRECTORY + 'key_file = "main.key"')
        backup = world.backup()
    assert backup.status == "available"
    (warning,) = [each for each in logs if "export-key main" in each["event"]]
    assert warning["log_level"] == "warning"
    assert key.read_bytes().hex() not in str(logs)
    assert contents.open_contents("main").export_key() not in str(logs)
    stored = b"".join(path.read_bytes() for path in (tmp_path / "backups").rglob("*/*/*"))
    assert CONTENT[:32] not in stored
    contents.open_contents.cache_clear()
    volume = Volume.objects.get()
    world.write(volume, b"other")
    restore_backup(backup=backup, volume=volume, caller=world.caller)
    world.engine.run()
    assert world.read(volume, len(CONTENT)) == CONTENT


@pytest.mark.parametrize(
    ("made_with", "opened_with", "sentence"),
    [
        ("", 'key_file = "main.key"', "this repository is not encrypted"),
        ('key_file = "main.key"', "", "its key is needed"),
        ('key_file = "main.key"', 'key_file = "other.key"', "does not open this repository"),
        ('key_file = "main.key"', 'passphrase_file = "words"', "does not open this repository"),
        ('key_file = "main.key"', 'key_file = "none.key"', "The key of the repository cannot"),
    ],
    ids=["not-encrypted", "no-key", "wrong-key", "other-kind", "no-file"],
)
def test_a_key_that_does_not_fit(
    configure: Callable[[str], None],
    world: World,
    key: Path,
    tmp_path: Path,
    made_with: str,
    opened_with: str,
    sentence: str,
) -> None:
    """Everything there says so, nothing is harmed, and with the right key all goes on."""
    (tmp_path / "other.key").write_bytes(os.urandom(32))
    (tmp_path / "words").write_text("correct horse\n")
    configure(BACKEND + DIRECTORY + made_with)
    backup = world.backup()
    configure(BACKEND + DIRECTORY + opened_with)
    with pytest.raises(DriverError, match=sentence):
        _reporter("main")()
    service = services().get(binary="cinder-backup")
    assert not service.is_up
    assert sentence in service.down_reason

    volume = Volume.objects.get()
    failed = world.backup(volume)
    assert failed.status == "error"
    assert sentence in (failed.fail_reason or "")
    assert "could not be taken back" not in (failed.fail_reason or "")
    assert (Volume.objects.get().status, Message.objects.latest("created_at").code) == (
        "available",
        "repository_failed",
    )
    delete_backup(backup=failed, caller=world.caller)
    world.engine.run()
    assert Backup.objects.get().pk == backup.pk

    configure(BACKEND + DIRECTORY + made_with)
    _reporter("main")()
    assert services().get(binary="cinder-backup").is_up
    restore_backup(backup=backup, volume=Volume.objects.get(), caller=world.caller)
    world.engine.run()
    assert Volume.objects.get().status == "available"
    assert world.read(volume, len(CONTENT)) == CONTENT


@pytest.mark.parametrize(
    ("key_of_table", "content", "sentence"),
    [
        ("key_file", None, "key_file: cannot be read: No such file"),
        ("key_file", b"short", "key_file: A key file holds at least 32 random bytes."),
        ("passphrase_file", b"\n", "passphrase_file: The passphrase is empty."),
        ("passphrase_file", b"\xff", "passphrase_file: is no text"),
    ],
)
def test_a_file_that_is_no_key(
    configure: Callable[[str], None],
    tmp_path: Path,
    key_of_table: str,
    content: bytes | None,
    sentence: str,
) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    configure(DIRECTORY + f'{key_of_table} = "file"')
    with pytest.raises(DriverError) as caught:
        contents.open_contents("main")
    assert caught.value.code is Reason.unavailable
    assert f"repositories.main.{sentence}" in caught.value.detail
    assert isinstance(caught.value.__cause__, ConfigurationError)

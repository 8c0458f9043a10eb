"""`manage.py repository`: the rows of backups come back from what the repository tells."""

import os
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from backups.contents import open_contents
from backups.models import Backup
from backups.repositories import open_repository
from backups.services.restores import create_volume_from_backup
from storage_project.identity.models import Project
from storage_project.operations.models import Transition
from tests.backups.test_opening import BACKEND, DIRECTORY
from tests.operations.consistency import require_consistent
from tests.operations.world import CONTENT, World
from volumes.models import QuotaUsage, Volume

pytestmark = pytest.mark.django_db(transaction=True)

NOT_KNOWN = {"user_id", "object_count", "updated_at", "created_at"}


def manage(*arguments: str) -> tuple[str, str]:
    """What `manage.py repository` prints, and what it warns of."""
    printed, warned = StringIO(), StringIO()
    call_command("repository", *arguments, stdout=printed, stderr=warned)
    return printed.getvalue(), warned.getvalue()


def columns(backup: Backup) -> dict[str, Any]:
    return Backup.objects.filter(pk=backup.pk).values().get()


@pytest.fixture
def full(world: World, configure: Callable[[str], None], tmp_path: Path) -> Backup:
    (tmp_path / "main.key").write_bytes(os.urandom(32))
    configure(BACKEND + DIRECTORY + 'key_file = "main.key"')
    Project.objects.create(pk=world.caller.project_id, name="demo")
    volume = world.volume()
    Volume.objects.update(name="data", metadata={"a": "b"}, bootable=True)
    world.write(volume, CONTENT)
    return world.backup(Volume.objects.get(), name="sunday", metadata={"c": "d"})


@pytest.fixture
def incremental(world: World, full: Backup) -> Backup:
    volume = Volume.objects.get()
    world.write(volume, b"more", offset=1 << 20)
    return world.backup(volume, incremental=True)


def lose_the_rows() -> None:
    Backup.objects.all().delete()
    Transition.objects.filter(resource_type="backup").delete()
    QuotaUsage.objects.filter(resource__startswith="backup").delete()


def test_all_rows_come_back(world: World, full: Backup, incremental: Backup) -> None:
    before = {each.pk: columns(each) for each in (full, incremental)}
    lose_the_rows()
    printed, warned = manage("scan", "main")
    assert printed.endswith("2 brought back, 0 known, 0 unreadable\n")
    assert warned == ""
    for backup in (full, incremental):
        found, was = columns(backup), before[backup.pk]
        assert found["created_at"] >= was["data_timestamp"]
        assert {k: v for k, v in found.items() if k not in NOT_KNOWN} == {
            k: v for k, v in was.items() if k not in NOT_KNOWN
        }
    usage = dict(QuotaUsage.objects.values_list("resource", "in_use"))
    assert (usage["backups"], usage["backup_gigabytes"]) == (2, 2)
    require_consistent()

    Backup.objects.filter(pk=full.pk).update(name="monday")
    printed, _ = manage("scan", "main")
    assert printed.endswith("0 brought back, 2 known, 0 unreadable\n")
    assert Backup.objects.get(pk=full.pk).name == "monday"
    assert QuotaUsage.objects.get(resource="backups").in_use == 2

    made = create_volume_from_backup(
        backup=Backup.objects.get(pk=incremental.pk), caller=world.caller
    )
    world.engine.run()
    made.refresh_from_db()
    assert (made.status, made.metadata, made.bootable) == ("available", {"a": "b"}, True)
    assert world.read(made, len(CONTENT)) == CONTENT
    assert world.read(made, 4, offset=1 << 20) == b"more"


def test_of_a_project_that_there_is_not(full: Backup) -> None:
    lose_the_rows()
    Project.objects.all().delete()
    heir = Project.objects.create(name="new")
    with pytest.raises(CommandError, match="There is no project none"):
        manage("scan", "main", "--project", "none")
    manage("scan", "main", "--project", "new")
    found = Backup.objects.get()
    assert (found.project_id, found.domain) == (heir.pk, full.domain)
    lose_the_rows()
    _, warned = manage("scan", "main")
    assert f"There is no project {full.domain}" in warned
    assert Backup.objects.get().project_id == full.domain


def test_one_that_cannot_be_read_is_named(full: Backup, tmp_path: Path) -> None:
    lose_the_rows()
    driver = open_repository("main")
    (manifest,) = driver.list_objects("backups/")
    damaged = bytearray(driver.get(manifest.key))
    damaged[40] ^= 1
    broken = f"backups/{full.volume_id}/{uuid4()}"
    driver.put(broken, [damaged])
    driver.put("backups/notes", [b"somebody else's"])
    with pytest.raises(CommandError, match="Some backups cannot be read"):
        manage("scan", "main")
    assert Backup.objects.get().pk == full.pk
    with pytest.raises(CommandError, match="2 records are damaged"):
        manage("check", "main")


# Keys


def test_keys_by_hand(full: Backup, tmp_path: Path, configure: Callable[[str], None]) -> None:
    printed, warned = manage("export-key", "main")
    assert printed.strip() == open_contents("main").export_key()
    assert "master key" in warned
    listed, _ = manage("list")
    assert listed.startswith("main: directory, encrypted, 1 backups, ")

    (tmp_path / "exported").write_text(printed)
    configure(BACKEND + DIRECTORY + 'key_file = "exported"')
    assert open_contents("main").export_key() == printed.strip()

    words = tmp_path / "words"
    words.write_text("correct horse battery staple\n")
    added, _ = manage("add-key", "main", "--passphrase-file", str(words))
    checked, _ = manage("check", "main")
    assert checked.endswith("All records are whole.\n")
    kinds = dict(line.split()[1:] for line in checked.splitlines() if line.startswith("key "))
    assert sorted(kinds.values()) == ["key_file", "passphrase"]
    configure(BACKEND + DIRECTORY + 'key_file = "main.key"')
    (own,) = [key.rstrip(":") for key, kind in kinds.items() if kind == "key_file"]
    with pytest.raises(CommandError, match="the key of the configuration"):
        manage("remove-key", "main", own)
    configure(BACKEND + DIRECTORY + 'passphrase_file = "words"')
    manage("remove-key", "main", own)
    assert added.split()[1] in manage("check", "main")[0]
    for key, sentence in ((added.split()[1], "configuration"), (own, "no such key"), ("x", "not")):
        with pytest.raises(CommandError, match=sentence):
            manage("remove-key", "main", key)


def test_without_encryption_there_is_no_key(
    world: World, configure: Callable[[str], None], tmp_path: Path
) -> None:
    configure(BACKEND + DIRECTORY)
    (tmp_path / "key").write_bytes(os.urandom(32))
    with pytest.raises(CommandError, match="not encrypted"):
        manage("export-key", "main")
    with pytest.raises(CommandError, match="not encrypted"):
        manage("add-key", "main", "--key-file", str(tmp_path / "key"))
    with pytest.raises(CommandError, match="attic: not in"):
        manage("check", "attic")

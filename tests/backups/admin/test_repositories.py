"""The pages of repositories and their damages, and what is known of backups."""

import pytest
from django.test import Client
from django.utils import timezone

from backups.models import Backup, Damage, Repository
from drivers.units import GIB, MIB
from storage_project.operations.models import Operation
from tests.backups.admin.test_schedules import BACKUPS, act, look
from tests.factories import BackupFactory, DamageFactory, RepositoryFactory

pytestmark = pytest.mark.django_db

REPOSITORIES = "/admin/backups/repository/"
DAMAGES = "/admin/backups/damage/"


@pytest.fixture
def damage() -> Damage:
    repository = RepositoryFactory(
        name="main",
        backups=7,
        logical_bytes=30 * GIB,
        unique_bytes=3 * GIB,
        stored_bytes=2 * GIB,
        free_bytes=512 * MIB,
        total_bytes=GIB,
        measured_at=timezone.now(),
    )
    damage: Damage = DamageFactory(repository=repository)
    damage.backups.add(BackupFactory(name="the one that is hit"))
    DamageFactory(repository=repository, healed_at=timezone.now())
    BackupFactory(name="another")
    return damage


def page_of(console: Client, address: str, **query: str) -> str:
    response = console.get(address, query)
    assert response.status_code == 200
    return str(response.content.decode())


def test_the_figures_can_be_read(console: Client, damage: Damage) -> None:
    for page in (page_of(console, REPOSITORIES), look(console, damage.repository)):
        assert "30 GiB" in page
        assert "15.0 : 1" in page
        assert "512 MiB of 1 GiB free" in page
        assert "down" in page
    assert damage.sentence in look(console, damage.repository)


def test_damages_lead_to_the_backups_that_they_hit(
    console: Client,
    damage: Damage,
) -> None:
    open_ones = page_of(
        console, DAMAGES, repository__id__exact=str(damage.repository_id), healed="open"
    )
    assert damage.key in open_ones
    assert open_ones.count("/change/") < page_of(console, DAMAGES).count("/change/")
    assert damage.sentence in look(console, damage)
    hit = page_of(console, BACKUPS, damage=str(damage.pk))
    assert "the one that is hit" in hit
    assert "another" not in hit


@pytest.mark.parametrize("action", ["scrub", "collect"])
def test_work_can_be_begun(console: Client, damage: Damage, action: str) -> None:
    act(console, REPOSITORIES, action, damage.repository)
    assert Operation.objects.get().kind == f"repository.{action}"
    assert Repository.objects.get().status != "available"


@pytest.mark.parametrize("action", ["verify", "test"])
def test_backups_can_be_looked_at(console: Client, action: str) -> None:
    act(console, BACKUPS, action, BackupFactory())
    assert Operation.objects.get().kind == f"backup.{action}"


def test_a_backup_shows_what_is_known_of_it(console: Client) -> None:
    backup: Backup = BackupFactory(
        verification="damaged",
        verified_at=timezone.now(),
        verification_detail="128 KiB are lost, at 0.",
        tested_at=timezone.now(),
        test_report={"result": "damaged", "detail": "", "bytes": GIB, "duration_s": 4.0},
    )
    page = look(console, backup)
    assert "128 KiB are lost, at 0." in page
    assert "1 GiB in 4.00 s" in page
    assert ">damaged<" in page_of(console, BACKUPS, verification="damaged")

"""Exporting records of backups, and importing them."""

import base64
from typing import Any

import orjson
import pytest

from backups.models import Backup
from storage_project.operations.models import Operation
from tests.accounts import Account
from tests.factories import BackupFactory
from volumes.models import QuotaUsage


@pytest.fixture
def backup(member: Account) -> Backup:
    return BackupFactory(project_id=member.project.pk, metadata={"a": "b"})


def export(admin: Account, backup: Backup) -> Any:
    return admin.client().get(f"/v3/backups/{backup.pk}/export_record")


def take_up(admin: Account, record: dict[str, Any]) -> Any:
    return admin.client().post("/v3/backups/import_record", {"backup-record": record})


def encode(document: Any) -> str:
    return base64.b64encode(orjson.dumps(document)).decode()


def test_there_and_back(admin: Account, backup: Backup) -> None:
    record = export(admin, backup).json()["backup-record"]
    assert record.keys() == {"backup_service", "backup_url"}
    Backup.objects.all().delete()
    response = take_up(admin, record)
    assert response.status_code == 201
    shown = response.json()["backup"]
    assert (shown["id"], shown["name"]) == (str(backup.pk), backup.name)
    found = Backup.objects.get()
    assert (found.status, found.project_id) == ("creating", admin.project.pk)
    same = ("volume_id", "size_gib", "metadata", "domain", "container", "data_timestamp")
    assert [getattr(found, name) for name in same] == [getattr(backup, name) for name in same]
    assert Operation.objects.get().kind == "backup.import"
    assert QuotaUsage.objects.get(resource="backups").in_use == 1


def test_of_one_that_is_there(admin: Account, backup: Backup) -> None:
    record = export(admin, backup).json()["backup-record"]
    assert take_up(admin, record).status_code == 409
    assert not QuotaUsage.objects.exists()


def test_of_one_that_is_not_ready(admin: Account, backup: Backup) -> None:
    Backup.objects.update(status="creating")
    assert export(admin, backup).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"id": "here"},
        {"id": None},
        {"volume_id": 7},
        {"size_gib": "1"},
        {"size_gib": 2**40},
        {"size_gib": True},
        {"name": "x" * 256},
        {"container": None},
        {"domain": ["x"]},
        {"metadata": {"a": 1}},
        {"metadata": ["a"]},
        {"volume_properties": "x"},
        {"data_timestamp": "soon"},
        {"data_timestamp": None},
        {"data_timestamp": "2026-01-02T03:04:05"},
        {"parent_id": "x"},
    ],
    ids=str,
)
def test_what_is_no_record(admin: Account, backup: Backup, change: dict[str, Any]) -> None:
    record = export(admin, backup).json()["backup-record"]
    document = orjson.loads(base64.b64decode(record["backup_url"]))
    Backup.objects.all().delete()
    response = take_up(admin, {**record, "backup_url": encode(document | change)})
    assert response.status_code == 400
    assert "is not the record of a backup" in response.json()["badRequest"]["message"]


@pytest.mark.parametrize("text", ["", "x", "e30=", encode([]), encode(7), "Ö"])
def test_what_is_nothing_at_all(admin: Account, text: str) -> None:
    response = take_up(admin, {"backup_service": "khoi", "backup_url": text})
    assert response.status_code == 400


def test_of_another_service(admin: Account) -> None:
    record = {"backup_service": "cinder.backup.drivers.swift", "backup_url": "e30="}
    assert "backup_service" in take_up(admin, record).json()["badRequest"]["message"]


def test_is_for_administrators(member: Account, backup: Backup) -> None:
    assert export(member, backup).status_code == 403
    assert take_up(member, {"backup_service": "khoi", "backup_url": "e30="}).status_code == 403

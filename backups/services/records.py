"""Records of backups: all that the database knows of one, as text that another database takes."""

import base64
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import IntegrityError, transaction

from backups.models import Backup
from backups.record import columns_of, document_of
from storage_project.api.faults import BadRequest, Conflict
from storage_project.identity.caller import Caller
from storage_project.operations.flow import StateConflict, record
from storage_project.operations.services import open_operation
from volumes import quota

# Who wrote a record; Cinder names the module of a driver here.
SERVICE = "khoi"


@dataclass(frozen=True)
class Record:
    """A backup as clients carry it from one installation to another."""

    backup_service: str
    backup_url: str


def export_record(*, backup: Backup) -> Record:
    """The record of an available backup."""
    if backup.status != "available":
        raise StateConflict(
            f"Backup {backup.pk} cannot be exported: its status is {backup.status}, and must be "
            f"available.",
            backup.flow.refusal_code,
        )
    return Record(SERVICE, base64.b64encode(orjson.dumps(document_of(backup))).decode())


def import_record(*, caller: Caller, backup_service: str, backup_url: str) -> Backup:
    """Take up a backup that a repository of ours holds, under the id that it has always had; it is
    the caller's project's.

    Its `backup.import` operation looks whether it is there. Raises `BadRequest` for a record that
    is not one of ours, `Conflict` when there is such a backup already, `OverLimit` without quota.
    """
    assert caller.project_id is not None
    if backup_service != SERVICE:
        raise BadRequest(f"backup_service: must be {SERVICE}.")
    values = _read(backup_url)
    try:
        with transaction.atomic():
            backup = Backup.objects.create(
                project_id=caller.project_id, user_id=caller.user_id, **values
            )
            operation = open_operation(
                kind="backup.import",
                resource=backup,
                project_id=backup.project_id,
                caller=caller,
            )
            quota.take(
                backup.project_id,
                quota.backup_charges(backup.size_gib),
                limits=quota.limits_of(backup.project_id),
            )
            record(backup, "", operation=operation)
    except IntegrityError:
        raise Conflict(f"There is a backup {values['id']} already.") from None
    return backup


def _read(text: str) -> dict[str, Any]:
    """The columns of a record; 400 unless each is what it must be."""
    try:
        return columns_of(orjson.loads(base64.b64decode(text, validate=True)))
    except ValueError:  # and what is no base64, and no JSON
        raise BadRequest("backup_url: is not the record of a backup.") from None

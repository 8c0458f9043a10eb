"""Bringing back the rows of backups from what a repository tells of itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.db import IntegrityError, transaction

from backups.contents import open_contents
from backups.engine.manifest import Manifest
from backups.engine.scan import Unreadable, scan
from backups.models import Backup
from backups.record import columns_of
from backups.repositories import configured
from storage_project.identity.selectors import find_project
from storage_project.operations.flow import record
from volumes import quota


class Outcome(StrEnum):
    """What became of a backup that was found."""

    BROUGHT_BACK = "brought back"
    KNOWN = "known"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A backup in a repository."""

    backup_id: str
    volume_id: str
    outcome: Outcome
    project_id: str = ""  # whose it is now
    reason: str = ""  # why it cannot be read


def scan_repository(name: str, *, heir: str | None = None) -> Iterator[Found]:
    """Look at every backup in a repository, and make the row of each that has none.

    It has its own id again, and all that the repository knows: what it was made of, when, and what
    a volume that is made from it is to have. It is charged to its project, whatever its quota; the
    backups of projects that there are not go to the project `heir`, or stay with an id that only
    administrators see. A row that is there is left as it is, so the same may be done again, also
    while backups are made. Raises `DriverError` when the repository cannot be read at all.
    """
    for found in scan(open_contents(name)):
        told = {"backup_id": found.ref.backup_id, "volume_id": found.ref.volume_id}
        if isinstance(found, Unreadable):
            yield Found(**told, outcome=Outcome.UNREADABLE, reason=found.error.sentence)
        elif known := Backup.objects.filter(pk=found.backup_id).first():
            yield Found(**told, outcome=Outcome.KNOWN, project_id=known.project_id)
        else:
            yield _bring_back(name, found, heir, told)


def _bring_back(name: str, manifest: Manifest, heir: str | None, told: dict[str, str]) -> Found:
    taken_at = manifest.metadata.get("data_timestamp") or manifest.created_at.isoformat()
    try:
        values = columns_of({**manifest.metadata, "data_timestamp": taken_at})
    except ValueError:
        reason = "The repository does not say what it is a backup of."
        return Found(**told, outcome=Outcome.UNREADABLE, reason=reason)
    project_id = manifest.project_id
    if heir is not None and find_project(project_id=project_id) is None:
        project_id = heir
    values |= {
        "id": UUID(manifest.backup_id),
        "volume_id": UUID(manifest.volume_id),
        "domain": manifest.project_id,
        "container": name,
        "availability_zone": configured(name).availability_zone,
        "read_bytes": manifest.read_bytes,
        "transferred_bytes": manifest.stored_bytes,
        "skipped_bytes": manifest.size_bytes - manifest.read_bytes,
        "created_at": manifest.created_at,
    }
    try:
        with transaction.atomic():
            backup = Backup.objects.create(project_id=project_id, status="available", **values)
            quota.take(project_id, quota.backup_charges(backup.size_gib), limits={})
            record(backup, "", note=f"found in the repository {name}")
    except IntegrityError:  # somebody else was quicker
        return Found(**told, outcome=Outcome.KNOWN, project_id=project_id)
    return Found(**told, outcome=Outcome.BROUGHT_BACK, project_id=project_id)

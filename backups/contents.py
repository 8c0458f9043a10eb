"""What is in repositories: the engine, as the pipelines use it.

A process opens each repository once, and makes it where there is none yet.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings

from backups.engine.backup import BackupProgress, BackupResult, backup
from backups.engine.keys import Secret
from backups.engine.manifest import BackupRef, Manifest
from backups.engine.repository import Repository, create_repository
from backups.engine.repository import open_repository as open_engine
from backups.keys import secret_of
from backups.models import Backup
from backups.opened_once import OpenedOnce
from backups.record import document_of
from backups.repositories import open_repository
from backups.sessions import LeasedSessions
from drivers.errors import ConfigurationError, DriverError, Reason
from drivers.volume.base import Extent, VolumeReader
from storage_project.operations.messages import Code, StepError
from storage_project.operations.run import Run

log = structlog.get_logger(__name__)


@OpenedOnce
def open_contents(name: str) -> Repository:
    """What is in the repository `[repositories.<name>]`. Raises `DriverError`."""
    driver, secret = open_repository(name), _secret_of(name)
    cache_folder = settings.STORAGE_HOME / "cache" / "repositories"
    try:
        return open_engine(driver, secret, cache=cache_folder)
    except DriverError as missing:
        if missing.code != Reason.not_found:
            raise
    try:
        made = create_repository(driver, [secret] if secret else [], cache=cache_folder)
    except DriverError as error:
        if error.code != Reason.invalid:
            raise
        return open_engine(driver, secret, cache=cache_folder)  # somebody else has just made it
    if secret is not None:
        log.warning(
            "an encrypted repository was made. Without its key nobody can read what is in it: "
            f"write the key down with `manage.py repository export-key {name}`",
            repository=name,
        )
    return made


def _secret_of(name: str) -> Secret | None:
    try:
        return secret_of(name)
    except ConfigurationError as error:
        raise DriverError(
            "The key of the repository cannot be read; an operator must look at it.",
            code=Reason.unavailable,
            detail=str(error),
        ) from error


@contextmanager
def told_by(container: str) -> Iterator[None]:
    """Tell what a driver says in the block as a failure of this repository."""
    try:
        yield
    except DriverError as error:
        log.warning("the repository failed", error=error.sentence, detail=error.detail)
        raise StepError(
            Code.REPOSITORY_FAILED, f"{container}: {error}", retryable=error.retryable
        ) from error


def store(
    row: Backup, reader: VolumeReader, changed: list[Extent] | None, run: Run
) -> BackupResult:
    """Put what the reader shows into the repository.

    `changed` is where it may differ from the parent, None where that is not known. What is there
    under the backup's id is complete already.
    """
    sessions = LeasedSessions(row.container)
    sessions.forget_lapsed()

    def tell(progress: BackupProgress) -> None:
        run.progress(
            progress.done_bytes,
            progress.total_bytes,
            phase="reads the volume",
            read_bytes=progress.read_bytes,
            transferred_bytes=progress.stored_bytes,
            skipped_bytes=progress.done_bytes - min(progress.read_bytes, progress.done_bytes),
        )
        run.keep_going()

    with sessions.session(run) as session:
        return backup(
            open_contents(row.container),
            reader,
            backup_id=str(row.pk),
            volume_id=str(row.volume_id),
            project_id=row.domain,
            session=session,
            parent=BackupRef(str(row.volume_id), str(row.parent_id)) if row.parent_id else None,
            changed=changed,
            metadata=document_of(row),
            on_progress=tell,
        )


def figures_of(result: BackupResult) -> dict[str, int]:
    """The columns of a backup that tell what it took."""
    manifest = result.manifest
    return {
        "object_count": result.packs,
        "read_bytes": manifest.read_bytes,
        "transferred_bytes": manifest.stored_bytes,
        "skipped_bytes": manifest.size_bytes - manifest.read_bytes,
    }


def find(row: Backup) -> Manifest:
    """What the repository tells of a backup. Raises `DriverError`."""
    return open_contents(row.container).read_manifest(ref_of(row))


def forget(row: Backup) -> None:
    """Make it no backup any more; that takes no key. What only it had is freed later, by
    the collector."""
    open_repository(row.container).delete([ref_of(row).key])


def require_there(row: Backup) -> None:
    """Raise a `DriverError` unless the repository has the backup, of that project and size."""
    manifest = find(row)
    if (manifest.project_id, manifest.size_bytes) != (row.domain, row.size_gib << 30):
        raise DriverError("The record is not that of the backup.", code=Reason.invalid)


def ref_of(row: Backup) -> BackupRef:
    """What the repository calls a backup."""
    return BackupRef(str(row.volume_id), str(row.pk))

"""Requests of each kind, for the crash matrix. A new pipeline needs an entry in `SCENARIOS`."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction

from backups.known import known_repository
from backups.models import Backup, Repository
from backups.removal import remove_backup_row
from backups.services.backups import create_backup, delete_backup
from backups.services.records import Record, export_record, import_record
from backups.services.repositories import collect_repository, scrub_repository
from backups.services.restores import create_volume_from_backup, restore_backup
from backups.services.verification import try_restore, verify_backup
from storage_project.operations.models import Operation
from tests.operations.world import HERE, World
from volumes.models import Attachment, Volume
from volumes.services.attachments import create_attachment, delete_attachment
from volumes.services.servers import attach_to_server, detach_from_server
from volumes.services.snapshots import create_snapshot, delete_snapshot
from volumes.services.volumes import delete_volume, extend_volume, revert_volume


@dataclass(frozen=True)
class Scenario:
    """`prepare` makes what the request needs; `request` asks, and does not wait."""

    kind: str
    prepare: Callable[[World], Any]
    request: Callable[[World, Any], object]
    # Only one pool can do it, so where the pipeline has other candidates, this has none.
    bound: bool = False

    def operation(self) -> Operation:
        """The one that the request has opened; there may be earlier ones of the preparation."""
        return Operation.objects.filter(kind=self.kind).latest("created_at")


def ask_to_attach(world: World, volume: Volume) -> None:
    """Ask, and let the operation that connects the volume open the one that plugs it in."""
    attach_to_server(server=world.server(), volume=volume, caller=world.caller)
    world.engine.look()


def back_up(world: World, volume: Volume, **values: Any) -> object:
    return create_backup(volume=volume, caller=world.caller, **values)


def written_volume(world: World) -> Volume:
    """A volume with something on it that is worth a backup."""
    return Volume.objects.get(pk=world.backup().volume_id)


def volume_in_use(world: World) -> Volume:
    """One that was backed up before and that a server uses, where the backend can copy that."""
    volume = written_volume(world)
    assert volume.pool is not None
    if volume.pool.capabilities["snapshots_in_use"]:
        return world.attached(volume).volume
    return volume


def ask_to_restore_anew(world: World, backup: Backup) -> None:
    """Ask, and let the operation that makes the volume come to its end."""
    create_volume_from_backup(backup=backup, caller=world.caller, size_gib=2)
    with world.engine.deaf_to("backup.restore.validate"):
        world.engine.look()
    world.engine.pass_time()


def ask_to_restore(world: World, backup: Backup) -> None:
    volume = Volume.objects.get(pk=backup.volume_id)
    restore_backup(backup=backup, volume=volume, caller=world.caller)


def exported_record(world: World) -> Record:
    """The record of a backup that the database has forgotten since."""
    backup = world.backup()
    record = export_record(backup=backup)
    with transaction.atomic():
        remove_backup_row(backup)
    return record


def damaged_repository(world: World) -> Repository:
    """One with a backup of which a block is damaged."""
    world.damage(world.backup())
    return Repository.objects.get()


def ask_to_extend_in_use(world: World, attachment: Attachment) -> None:
    """Ask, and let the operation that extends the volume open the one that tells the server."""
    extend_volume(volume=attachment.volume, new_size_gib=3, caller=world.caller, also_in_use=True)
    world.engine.look()


SCENARIOS = {
    "volume.create": Scenario(
        kind="volume.create",
        prepare=lambda world: None,
        request=lambda world, _: world.request_volume(),
    ),
    "volume.create from a snapshot": Scenario(
        kind="volume.create",
        prepare=World.snapshot,
        request=lambda world, snapshot: world.request_volume(size_gib=2, source=snapshot),
        bound=True,
    ),
    "volume.create from a volume": Scenario(
        kind="volume.create",
        prepare=World.volume,
        request=lambda world, volume: world.request_volume(size_gib=2, source=volume),
        bound=True,
    ),
    "volume.delete": Scenario(
        kind="volume.delete",
        prepare=World.volume,
        request=lambda world, volume: delete_volume(volume=volume, caller=world.caller),
    ),
    "volume.delete with its snapshots": Scenario(
        kind="volume.delete",
        prepare=World.snapshot,
        request=lambda world, snapshot: delete_volume(
            volume=snapshot.volume, caller=world.caller, cascade=True
        ),
    ),
    "volume.extend": Scenario(
        kind="volume.extend",
        prepare=World.volume,
        request=lambda world, volume: extend_volume(
            volume=volume, new_size_gib=3, caller=world.caller
        ),
    ),
    "volume.extend in use": Scenario(
        kind="volume.extend",
        prepare=World.attached,
        request=lambda world, attachment: extend_volume(
            volume=attachment.volume, new_size_gib=3, caller=world.caller, also_in_use=True
        ),
    ),
    "server.extend": Scenario(
        kind="server.extend",
        prepare=World.attached,
        request=ask_to_extend_in_use,
    ),
    "volume.revert": Scenario(
        kind="volume.revert",
        prepare=World.snapshot,
        request=lambda world, snapshot: revert_volume(
            volume=snapshot.volume, snapshot_id=snapshot.pk, caller=world.caller
        ),
    ),
    "snapshot.create": Scenario(
        kind="snapshot.create",
        prepare=World.volume,
        request=lambda world, volume: create_snapshot(volume=volume, caller=world.caller),
    ),
    "snapshot.delete": Scenario(
        kind="snapshot.delete",
        prepare=World.snapshot,
        request=lambda world, snapshot: delete_snapshot(snapshot=snapshot, caller=world.caller),
    ),
    "attachment.connect": Scenario(
        kind="attachment.connect",
        prepare=World.volume,
        request=lambda world, volume: create_attachment(
            volume=volume, caller=world.caller, connector=HERE
        ),
    ),
    "attachment.delete": Scenario(
        kind="attachment.delete",
        prepare=World.attachment,
        request=lambda world, attachment: delete_attachment(
            attachment=attachment, caller=world.caller
        ),
    ),
    "server.attach": Scenario(
        kind="server.attach",
        prepare=World.volume,
        request=ask_to_attach,
    ),
    "server.detach": Scenario(
        kind="server.detach",
        prepare=World.attached,
        request=lambda world, attachment: detach_from_server(
            attachment=attachment, caller=world.caller
        ),
    ),
    "backup.create": Scenario(
        kind="backup.create",
        prepare=World.volume,
        request=back_up,
    ),
    "backup.create of a volume in use, compared with another": Scenario(
        kind="backup.create",
        prepare=volume_in_use,
        request=lambda world, volume: back_up(world, volume, force=True, incremental=True),
    ),
    "backup.create of a snapshot": Scenario(
        kind="backup.create",
        prepare=World.snapshot,
        request=lambda world, snapshot: back_up(world, snapshot.volume, snapshot=snapshot),
    ),
    "backup.delete": Scenario(
        kind="backup.delete",
        prepare=World.backup,
        request=lambda world, backup: delete_backup(backup=backup, caller=world.caller),
    ),
    "backup.restore": Scenario(
        kind="backup.restore",
        prepare=World.backup,
        request=ask_to_restore,
    ),
    "backup.restore into a new volume": Scenario(
        kind="backup.restore",
        prepare=World.backup,
        request=ask_to_restore_anew,
    ),
    "backup.import": Scenario(
        kind="backup.import",
        prepare=exported_record,
        request=lambda world, record: import_record(caller=world.caller, **asdict(record)),
    ),
    "backup.verify": Scenario(
        kind="backup.verify",
        prepare=World.backup,
        request=lambda world, backup: verify_backup(backup=backup, caller=world.caller),
    ),
    "backup.test": Scenario(
        kind="backup.test",
        prepare=World.backup,
        request=lambda world, backup: try_restore(backup=backup, caller=world.caller),
    ),
    "repository.scrub": Scenario(
        kind="repository.scrub",
        prepare=damaged_repository,
        request=lambda world, repository: scrub_repository(
            repository=repository, caller=world.caller
        ),
    ),
    "repository.collect": Scenario(
        kind="repository.collect",
        prepare=lambda world: known_repository(world.backup().container),
        request=lambda world, repository: collect_repository(
            repository=repository, caller=world.caller
        ),
    ),
}

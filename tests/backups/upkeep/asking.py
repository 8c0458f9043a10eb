"""What the tests of upkeep ask for, and wait for."""

from typing import Any

from backups.known import known_repository
from backups.models import Backup, Repository
from backups.services.repositories import scrub_repository
from backups.services.restores import create_volume_from_backup
from backups.services.verification import verify_backup
from storage_project.operations.models import Operation
from storage_project.operations.states import Status
from tests.backups.pipelines.test_backups import again
from tests.operations.world import World
from volumes.models import Volume

# All blocks of `CONTENT` are the same one.
LOST = "128 KiB are lost, at 0."


def ended(world: World, operation: Operation) -> Operation:
    """The operation, once it has come to its end."""
    world.engine.run()
    return Operation.objects.get(pk=operation.pk)


def verified(world: World, backup: Backup) -> Backup:
    operation = ended(world, verify_backup(backup=again(backup), caller=world.caller))
    assert operation.status == Status.SUCCEEDED, operation.error
    return again(backup)


def scrubbed(world: World) -> dict[str, Any]:
    """What a scrub of `main` has found out."""
    repository = known_repository("main")
    operation = ended(world, scrub_repository(repository=repository, caller=world.caller))
    assert operation.status == Status.SUCCEEDED, operation.error
    assert Repository.objects.get(name="main").status == "available"
    result: dict[str, Any] = operation.notes["result"]
    return result


def restored(world: World, backup: Backup, **values: Any) -> tuple[Volume, Operation]:
    made = create_volume_from_backup(backup=again(backup), caller=world.caller, **values)
    operation = Operation.objects.filter(kind="backup.restore").latest("created_at")
    operation = ended(world, operation)
    return again(made), operation

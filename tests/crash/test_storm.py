"""Many clients and many workers at once, on backends that fail at random."""

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from backups.models import Backup
from backups.services import backups
from backups.services.backups import create_backup, delete_backup, force_delete_backup
from backups.services.restores import create_volume_from_backup, restore_backup
from storage_project.api.faults import Fault
from storage_project.operations.models import Operation
from storage_project.operations.services import cancel_operation
from storage_project.operations.states import ACTIVE
from tests.operations.consistency import require_consistent
from tests.operations.threads import at_once
from tests.operations.world import World
from volumes.models import Snapshot, Volume
from volumes.services import snapshots
from volumes.services.quotas import set_limits
from volumes.services.snapshots import create_snapshot, delete_snapshot, force_delete_snapshot
from volumes.services.volumes import (
    delete_volume,
    extend_volume,
    force_delete_volume,
    reset_status,
    revert_volume,
)

CLIENTS = 4
WORKERS = 4
REQUESTS = 12
UNSTEADY = """
[backends.one]
driver = "memory"
thin = false
capacity_gib = 8
failure_rate = 0.2
lost_reply_rate = 0.2
seed = {seed}
[backends.two]
driver = "memory"
thin = false
capacity_gib = 8
failure_rate = 0.2
lost_reply_rate = 0.2
seed = {seed}
[repositories.main]
driver = "memory"
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(4))
def test_leaves_everything_exact(world: World, configure: Callable[[str], None], seed: int) -> None:
    assert world.caller.project_id
    configure(UNSTEADY.format(seed=seed))
    set_limits(project_id=world.caller.project_id, limits={"volumes": 8, "gigabytes": 14})
    # Something to begin with, as far as the backends let it be made.
    for _ in range(4):
        world.request_volume()
    world.engine.run()
    for volume in Volume.objects.filter(status="available"):
        create_backup(volume=volume, caller=world.caller)
    world.engine.run()
    clients = [partial(be_a_client, world, random.Random(100 * seed + n)) for n in range(CLIENTS)]
    workers = [partial(world.engine.run, workers=1)] * WORKERS
    for outcome in at_once(*clients, *workers):
        if isinstance(outcome, Exception):
            raise outcome
    world.engine.run(workers=WORKERS)
    require_consistent()


def be_a_client(world: World, dice: random.Random) -> None:
    """Ask for things at random; a refusal is an answer."""
    for _ in range(REQUESTS):
        volume = Volume.objects.order_by("?").first()
        operation = Operation.objects.filter(status__in=ACTIVE).order_by("?").first()
        requests: list[Callable[[], object]] = [world.request_volume] * 3
        if operation:
            requests.append(partial(cancel_operation, operation=operation))
        if volume:
            grown = volume.size_gib + dice.randint(1, 2)
            about = {"volume": volume, "caller": world.caller}
            requests += [
                partial(extend_volume, new_size_gib=grown, **about),
                partial(extend_volume, new_size_gib=grown, **about),
                partial(delete_volume, **about),
                partial(force_delete_volume, **about),
                partial(reset_status, status="error", **about),
                partial(create_snapshot, **about),
                partial(create_snapshot, **about),
                partial(world.request_volume, size_gib=volume.size_gib, source=volume),
                partial(delete_volume, cascade=True, **about),
                partial(force_delete_volume, cascade=True, **about),
                partial(create_backup, **about),
                partial(create_backup, force=True, incremental=dice.random() < 0.5, **about),
            ]
        if snapshot := Snapshot.objects.select_related("volume").order_by("?").first():
            about = {"snapshot": snapshot, "caller": world.caller}
            size_gib = snapshot.size_gib + dice.randint(0, 1)
            requests += [
                partial(world.request_volume, size_gib=size_gib, source=snapshot),
                partial(
                    revert_volume,
                    volume=snapshot.volume,
                    snapshot_id=snapshot.pk,
                    caller=world.caller,
                ),
                partial(delete_snapshot, **about),
                partial(force_delete_snapshot, **about),
                partial(snapshots.reset_status, status="error", **about),
                partial(create_backup, volume=snapshot.volume, **about),
            ]
        if backup := Backup.objects.order_by("?").first():
            about = {"backup": backup, "caller": world.caller}
            requests += [
                partial(delete_backup, **about),
                partial(force_delete_backup, **about),
                partial(backups.reset_status, status="error", **about),
                partial(create_volume_from_backup, **about),
            ]
            if volume:
                requests.append(partial(restore_backup, volume=volume, **about))
        with suppress(Fault):
            dice.choice(requests)()

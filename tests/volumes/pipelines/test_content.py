"""What is written to a volume is on its snapshot, and on whatever is made from either."""

from collections.abc import Callable

import pytest

from tests.operations.consistency import require_consistent
from tests.operations.world import World
from volumes.backends import open_backend
from volumes.models import Snapshot, Volume
from volumes.pools import placed
from volumes.services.snapshots import create_snapshot, delete_snapshot
from volumes.services.volumes import delete_volume, revert_volume

GIB = 2**30
# Where the pieces of a pattern lie: at the beginning, across a block, at the very end.
PLACES = (0, 4096 * 7 - 5, GIB - 16)


@pytest.fixture(params=["file", "memory"], autouse=True)
def _backends(
    world: World, configure: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    path = 'path = "{}"\n' if request.param == "file" else ""
    configure(
        "".join(
            f'[backends.{name}]\ndriver = "{request.param}"\n{path.format(name)}'
            for name in ("one", "two")
        )
    )


def write(volume: Volume, piece: bytes) -> None:
    pool = placed(volume)
    with open_backend(pool.backend).open_writer(str(volume.pk), pool=pool.name) as writer:
        for place in PLACES:
            writer.write(place, piece)
        writer.flush()


def read(volume: Volume) -> set[bytes]:
    """What is at those places: one piece, when all of it is of one moment."""
    pool = placed(volume)
    with open_backend(pool.backend).open_reader(str(volume.pk), pool=pool.name) as reader:
        return {bytes(reader.read(place, 16)) for place in PLACES}


def made_from(world: World, source: Snapshot | Volume, size_gib: int = 1) -> Volume:
    made = world.request_volume(source=source, size_gib=size_gib)
    world.engine.run()
    return Volume.objects.get(pk=made.pk)


FIRST, SECOND = b"the first content"[:16], b"the second matter"[:16]


def test_goes_where_it_is_copied(world: World) -> None:
    volume = world.volume()
    write(volume, FIRST)
    create_snapshot(volume=volume, caller=world.caller)
    world.engine.run()
    snapshot = Snapshot.objects.get()
    write(volume, SECOND)

    of_snapshot, of_volume = made_from(world, snapshot), made_from(world, volume, size_gib=2)
    assert [of_snapshot.status, of_volume.status] == ["available", "available"]
    assert (read(of_snapshot), read(of_volume)) == ({FIRST}, {SECOND})
    assert {of_snapshot.pool, of_volume.pool} == {volume.pool}
    assert (of_snapshot.source_snapshot_id, of_volume.source_volume_id) == (snapshot.pk, volume.pk)

    revert_volume(volume=volume, snapshot_id=snapshot.pk, caller=world.caller)
    world.engine.run()
    assert read(volume) == {FIRST}
    require_consistent()

    # None depends on another: whichever goes first, the rest is whole.
    delete_snapshot(snapshot=Snapshot.objects.get(), caller=world.caller)
    world.engine.run()
    delete_volume(volume=volume, caller=world.caller)
    world.engine.run()
    assert (read(of_snapshot), read(of_volume)) == ({FIRST}, {SECOND})
    require_consistent()


def test_its_source_may_be_gone_before_the_copy_begins(world: World) -> None:
    create_snapshot(volume=world.volume(), caller=world.caller)
    world.engine.run()
    snapshot = Snapshot.objects.get()
    with world.engine.deaf_to("volume.create.validate"):
        made = world.request_volume(source=snapshot)
        world.engine.look()
        delete_snapshot(snapshot=snapshot, caller=world.caller)
        world.engine.look()
    world.engine.run()
    assert Volume.objects.get(pk=made.pk).status == "error"
    require_consistent()


def test_all_goes_with_its_volume(world: World) -> None:
    volume = world.volume()
    for _ in range(3):
        create_snapshot(volume=volume, caller=world.caller)
    world.engine.run()
    assert volume.snapshots.filter(status="available").count() == 3
    delete_volume(volume=volume, caller=world.caller, cascade=True)
    world.engine.run()
    assert not Volume.objects.exists()
    assert not Snapshot.objects.exists()
    require_consistent()


def test_a_cascade_waits_for_a_snapshot_that_is_being_deleted(world: World) -> None:
    volume = world.volume()
    create_snapshot(volume=volume, caller=world.caller)
    world.engine.run()
    with world.engine.deaf_to("snapshot.delete.provision"):
        delete_snapshot(snapshot=Snapshot.objects.get(), caller=world.caller)
        world.engine.look()
    delete_volume(volume=volume, caller=world.caller, cascade=True)
    world.engine.run()
    assert not Volume.objects.exists()
    require_consistent()

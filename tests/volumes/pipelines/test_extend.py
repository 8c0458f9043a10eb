"""What becomes of a volume that cannot be extended."""

import pytest

from drivers.errors import DriverError, Reason
from drivers.faults import Fault
from storage_project.operations.models import Message
from tests.operations.world import World
from volumes.backends import open_backend
from volumes.models import Pool, Volume
from volumes.services.volumes import extend_volume


@pytest.fixture
def extended(world: World):
    def extend(volume: Volume) -> Volume:
        extend_volume(volume=volume, new_size_gib=5, caller=world.caller)
        world.engine.run()
        return Volume.objects.get(pk=volume.pk)

    return extend


def test_for_want_of_room_it_stays_available(world: World, extended):
    volume = world.volume()
    Pool.objects.update(total_gib=2, free_gib=2, max_over_subscription_ratio=1)
    after = extended(volume)
    assert (after.status, after.size_gib) == ("available", 1)
    assert Message.objects.get(resource_id=volume.pk).code == "backend_full"


def test_where_the_backend_failed_it_is_in_error(world: World, extended):
    volume = world.volume()
    broken = DriverError("It is broken.", code=Reason.failed)
    open_backend(volume.pool.backend).faults.next("extend_volume", Fault.failure(broken))
    after = extended(volume)
    assert (after.status, after.size_gib) == ("error_extending", 1)

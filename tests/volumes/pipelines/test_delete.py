"""What becomes of a volume that is deleted, and of one that could not be."""

import pytest

from drivers.faults import Fault
from storage_project.operations.models import Message, Operation
from storage_project.operations.services import cancel_operation
from storage_project.operations.states import Status
from tests.operations.consistency import require_consistent
from tests.operations.world import World
from volumes.backends import open_backend
from volumes.models import Volume
from volumes.services.volumes import delete_volume, reset_status
from volumes.states import DELETABLE


def test_takes_its_data_its_room_and_its_quota_with_it(world: World) -> None:
    volume = world.volume()
    delete_volume(volume=volume, caller=world.caller)
    world.engine.run()
    assert not Volume.objects.exists()
    assert open_backend(volume.pool.backend).list_volumes(pool=volume.pool.name) == []
    require_consistent()


@pytest.mark.parametrize("fault", [Fault.failure(), Fault.lost_reply(retryable=False)])
def test_what_the_backend_cannot_delete_can_be_deleted_again(world: World, fault: Fault) -> None:
    volume = world.volume()
    open_backend(volume.pool.backend).faults.next("delete_volume", fault)
    delete_volume(volume=volume, caller=world.caller)
    world.engine.run()
    volume = Volume.objects.get()
    assert volume.status == "error_deleting"
    assert Message.objects.get().code == "backend_failed"
    require_consistent()
    delete_volume(volume=volume, caller=world.caller)
    world.engine.run()
    assert not Volume.objects.exists()
    require_consistent()


@pytest.mark.parametrize("was", DELETABLE)
def test_cancelled_before_it_began_the_volume_is_what_it_was(world: World, was: str) -> None:
    volume = world.volume()
    reset_status(volume=volume, status=was, caller=world.caller)
    with world.engine.deaf_to("volume.delete.provision"):
        delete_volume(volume=volume, caller=world.caller)
        world.engine.look()
        cancel_operation(operation=Operation.objects.get(kind="volume.delete"))
        world.engine.look()
    assert Operation.objects.get(kind="volume.delete").status == Status.CANCELLED
    assert Volume.objects.get().status == was
    require_consistent()

"""What a user reads when no backend could take a volume."""

from drivers.errors import DriverError, Reason
from drivers.faults import Fault
from storage_project.operations.models import Message
from tests.operations.world import World
from volumes.backends import open_backend


def test_every_backend_is_named_with_its_own_reason_once(world: World):
    full = DriverError("The disk is full.", code=Reason.no_space)
    for name in ("one", "two"):
        open_backend(name).faults.next("create_volume", Fault.failure(full))
    volume = world.request_volume()
    world.engine.run()
    sentence = Message.objects.get(resource_id=volume.pk).sentence
    for name in ("one", "two"):
        assert f"@{name}#{name} failed: The disk is full" in sentence
    assert sentence.count("The disk is full") == 2
    assert ".;" not in sentence
    assert sentence.endswith("full.")

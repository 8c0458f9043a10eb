"""Where a volume goes, and what it leaves behind on the backends that did not take it."""

from collections.abc import Callable

import pytest

from drivers.errors import Reason
from drivers.faults import Fault
from drivers.volume.base import VolumeDriver
from storage_project.operations.models import Message, Operation
from storage_project.operations.runner import Outcome
from storage_project.operations.states import Status, Step
from tests.operations.consistency import require_consistent
from tests.operations.world import World
from volumes.backends import open_backend
from volumes.models import Pool, Service, Volume
from volumes.services.volumes import create_volume

FULL_DISK = """
[backends.one]
driver = "file"
path = "one"
min_free_mib = 1_000_000_000
preference = 1
[backends.two]
driver = "file"
path = "two"
"""
FULL = """
[backends.one]
driver = "memory"
full = true
preference = 1
[backends.two]
driver = "memory"
"""


def holds(name: str) -> set[str]:
    return {each.volume_id for each in open_backend(name).list_volumes(pool=name)}


def the_volume() -> Volume:
    return Volume.objects.select_related("pool__service").get()


def first_choice() -> VolumeDriver:
    """The backend that takes the next volume, if it can."""
    Pool.objects.filter(name="one").update(preference=1)
    return open_backend("one")


@pytest.mark.parametrize("configuration", [FULL, FULL_DISK], ids=["memory", "file"])
def test_falls_from_a_full_backend_to_the_next(
    world: World, configure: Callable[[str], None], configuration: str
) -> None:
    configure(configuration)
    volume = world.volume()
    assert volume.status == "available"
    assert (holds("one"), holds("two")) == (set(), {str(volume.pk)})
    assert [event["outcome"] for event in Operation.objects.get().timeline] == [
        "done",
        "done",
        Outcome.MOVED,
        "done",
        "done",
    ]
    assert not Message.objects.exists()
    require_consistent()


def test_tells_of_every_backend_why_it_is_not_there(
    world: World, configure: Callable[[str], None]
) -> None:
    configure("""
[backends.broken]
driver = "memory"
[backends.full]
driver = "memory"
full = true
[backends.off]
driver = "memory"
[backends.small]
driver = "memory"
thin = false
capacity_gib = 2
    """)
    Service.objects.filter(host__contains="@one").delete()
    Service.objects.filter(host__contains="@two").delete()
    Service.objects.filter(host__contains="@off").update(enabled=False, disabled_reason="rain")
    open_backend("broken").faults.next("create_volume", Fault.failure("It is on fire."))
    world.request_volume(size_gib=5)
    world.engine.run()
    message = Message.objects.get()
    assert message.code == "no_backend"
    for reason in (
        "broken failed: It is on fire",
        "full failed: The simulated backend has no space left",
        "off is disabled (rain)",
        "small has 2 GiB free of 2 GiB",
    ):
        assert reason in message.sentence
    assert the_volume().status == "error"
    assert the_volume().pool is None
    require_consistent()


def test_tells_when_there_is_no_backend_at_all(world: World) -> None:
    Service.objects.all().delete()
    world.request_volume()
    world.engine.run()
    assert "none has reported a pool" in Message.objects.get().sentence


def test_what_reported_failure_and_had_succeeded_leaves_nothing(world: World) -> None:
    first_choice().faults.next("create_volume", Fault.lost_reply(retryable=False))
    volume = world.volume()
    assert (holds("one"), holds("two")) == (set(), {str(volume.pk)})
    require_consistent()


def test_what_had_succeeded_is_found_again_when_it_is_tried_again(world: World) -> None:
    first_choice().faults.next("create_volume", Fault.lost_reply(retryable=True))
    volume = world.volume()
    assert (holds("one"), holds("two")) == ({str(volume.pk)}, set())
    assert Operation.objects.get().timeline[2]["outcome"] == Outcome.LATER
    require_consistent()


def test_where_the_undo_fails_for_a_while_it_is_tried_again(world: World) -> None:
    faults = first_choice().faults
    faults.next("create_volume", Fault.lost_reply(retryable=False))
    faults.next("delete_volume", *[Fault.failure(code=Reason.busy, retryable=True)] * 3)
    volume = world.volume()
    assert (holds("one"), holds("two")) == (set(), {str(volume.pk)})
    require_consistent()


def test_where_the_undo_fails_for_good_the_volume_keeps_its_place(world: World) -> None:
    faults = first_choice().faults
    faults.next("create_volume", Fault.lost_reply(retryable=False))
    faults.next("delete_volume", Fault.failure())
    volume = world.volume()
    assert volume.status == "error"
    assert holds("one") == {str(volume.pk)}
    assert "could not be taken back" in Message.objects.get().sentence
    require_consistent()


def test_a_late_message_to_a_backend_that_was_given_up_does_nothing_there(world: World) -> None:
    first_choice().faults.next("create_volume", Fault.failure())
    with world.engine.deaf_to("volume.create.report"):
        world.request_volume()
        world.engine.look()
        world.engine.pass_time()
        world.engine.look()
    (late,) = (bell for bell in world.engine.sent if bell.queue.endswith("@one"))
    Operation.objects.update(step=Step.PROVISION)
    world.engine.deliver(late)
    assert holds("one") == set()
    assert Operation.objects.get().step == Step.PROVISION


def test_a_candidate_that_fills_up_meanwhile_is_passed_over(world: World) -> None:
    first_choice().faults.next("create_volume", Fault.failure())
    with world.engine.deaf_to("volume.create.provision"):
        world.request_volume()
        world.engine.look()
    Pool.objects.filter(name="two").update(total_gib=0)
    world.engine.run()
    assert the_volume().status == "error"
    assert "two has filled up meanwhile" in Message.objects.get().sentence
    require_consistent()


def test_takes_the_zone_of_its_pool(world: World) -> None:
    assert world.volume().availability_zone == "nova"


@pytest.mark.parametrize("hint", ["same_host", "different_host"])
def test_goes_where_the_hint_says(world: World, hint: str) -> None:
    other = world.volume()
    create_volume(
        caller=world.caller,
        size_gib=1,
        volume_type=world.volume_type,
        hints={hint: [str(other.pk)]},
    )
    world.engine.run()
    volume = Volume.objects.exclude(pk=other.pk).get()
    assert (volume.pool_id == other.pool_id) == (hint == "same_host")


def test_a_hint_at_a_volume_without_a_place_cannot_be_honoured(world: World) -> None:
    create_volume(
        caller=world.caller,
        size_gib=1,
        volume_type=world.volume_type,
        hints={"same_host": ["00000000-0000-4000-8000-000000000000"]},
    )
    world.engine.run()
    assert Operation.objects.get().status == Status.FAILED
    assert "holds none of the volumes" in Message.objects.get().sentence

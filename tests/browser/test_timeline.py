"""What the console tells about an operation and about a volume, after the engine has worked."""

from selenium.webdriver.common.by import By

from drivers.errors import Reason
from drivers.faults import Fault
from drivers.volume.memory import MemoryDriver
from storage_project.identity.caller import Caller
from storage_project.operations.models import Operation
from storage_project.operations.states import Status, Step
from tests.browser.window import Window
from tests.factories import OperationFactory
from tests.operations.engine import Engine
from volumes.models import Volume
from volumes.services.types import ensure_default_type
from volumes.services.volumes import create_volume, delete_volume, extend_volume

FULL = Fault.failure("The disk is full.", code=Reason.no_space)
BUSY = Fault.failure("The controller is busy.", code=Reason.busy, retryable=True)


def create(caller: Caller, name: str = "letters") -> Volume:
    volume = create_volume(caller=caller, size_gib=2, volume_type=ensure_default_type(), name=name)
    Engine().run()
    return volume


def lines(window: Window) -> list[str]:
    """The timeline without its times."""
    return [line.text.replace("\n", " ") for line in window.find_all(".timeline .what")]


def operation_page(window: Window, operation: Operation) -> None:
    window.open(f"/admin/operations/operation/{operation.pk}/change/")


def test_a_timeline_tells_every_step_in_order(
    console: Window, storage: dict[str, MemoryDriver], caller: Caller
) -> None:
    storage["fast"].faults.next("create_volume", BUSY)
    volume = create(caller)
    operation_page(console, Operation.objects.get())

    assert console.heading == "volume.create succeeded"
    assert lines(console) == [
        "accepted req-test",
        "volume creating",
        "validate done by local",
        "schedule done by local",
        "provision will be tried again by local "
        "The backend could not do it. box@fast: The controller is busy.",
        "provision done by local, attempt 2",
        "volume creating → available",
        "report done by local",
    ]
    # What was overcome is told in its place, and is not what became of the operation.
    assert not console.find_all(".error-sentence")
    console.follow(f"volume {str(volume.pk)[:8]}")
    assert console.heading == "letters available"


def test_a_fall_through_and_the_reason_of_every_backend_are_told(
    console: Window, storage: dict[str, MemoryDriver], caller: Caller
) -> None:
    for driver in storage.values():
        driver.faults.next("create_volume", FULL)
    create(caller)
    operation_page(console, Operation.objects.get())

    assert console.heading == "volume.create failed"
    told = lines(console)
    assert any(line.startswith("provision goes on with the next candidate") for line in told)
    assert told[-1].startswith("provision failed")
    error = console.find(".error-sentence").text
    assert error.startswith("no_backend")
    assert "box@fast" in error
    assert "box@slow" in error

    console.follow("Messages")
    (message,) = console.rows()
    assert error.removeprefix("no_backend ") in message


def test_what_is_under_way_is_told_too(console: Window, operator: object) -> None:
    operation = OperationFactory(
        status=Status.RUNNING,
        step=Step.PROVISION,
        owner="volume-fast@box/123/456",
        attempts=2,
        phase="copying blocks",
        progress_bytes=13 * 2**30,
        total_bytes=52 * 2**30,
    )
    operation_page(console, operation)
    assert lines(console)[-1] == "provision runs by volume-fast@box, attempt 2 copying blocks"
    progress = console.find(".summary progress")
    assert progress.get_attribute("value") == "25"
    assert "13 of 52 GiB" in console.find(".summary").text

    Operation.objects.update(status=Status.PENDING, provision_queue="volume.box@fast")
    operation_page(console, operation)
    assert lines(console)[-1] == "provision waits for a worker queue volume.box@fast"


def test_a_volume_tells_its_story(
    console: Window, storage: dict[str, MemoryDriver], caller: Caller
) -> None:
    volume = create(caller)
    volume.refresh_from_db()
    extend_volume(volume=volume, new_size_gib=3, caller=caller)
    Engine().run()
    console.open("/admin/volumes/volume/")
    console.follow("letters")

    assert "box@fast#fast" in console.text
    kinds = [
        row.find_element(By.TAG_NAME, "th").text for row in console.find_all(".story tbody tr")
    ]
    assert kinds == ["volume.extend", "volume.create"]
    # The newest first, each leading to what moved it.
    assert lines(console) == [
        "volume extending → available by volume.extend",
        "volume available → extending by volume.extend",
        "volume creating → available by volume.create",
        "volume creating by volume.create",
    ]
    console.follow("volume.extend")
    assert console.heading == "volume.extend succeeded"


def test_the_history_of_a_deleted_volume_stays(
    console: Window, storage: dict[str, MemoryDriver], caller: Caller
) -> None:
    volume = create(caller)
    volume.refresh_from_db()
    delete_volume(volume=volume, caller=caller)
    Engine().run()
    assert not Volume.objects.exists()

    operation_page(console, Operation.objects.get(kind="volume.delete"))
    console.follow(f"volume {str(volume.pk)[:8]}")
    assert console.messages == [f"Volume {volume.pk} does not exist any more. This is its history."]
    assert console.heading == "Transitions"
    assert "deleting → deleted" in console.rows()[0]
    assert len(console.rows()) == 4

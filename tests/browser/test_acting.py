"""What an operator does in the console: each act asks first, and a service does it."""

import pytest
from django.contrib.admin.models import LogEntry

from drivers.volume.memory import MemoryDriver
from storage_project.identity.caller import Caller
from storage_project.identity.models import Project
from storage_project.operations.models import Operation, Transition
from storage_project.operations.states import Status
from tests.browser.window import Window
from tests.operations.engine import Engine
from volumes.models import QuotaLimit, Service, Volume, VolumeType
from volumes.services.types import create_type, ensure_default_type
from volumes.services.volumes import create_volume


@pytest.fixture
def volume(storage: dict[str, MemoryDriver], caller: Caller) -> Volume:
    made = create_volume(
        caller=caller, size_gib=2, volume_type=ensure_default_type(), name="letters"
    )
    Engine().run()
    made.refresh_from_db()
    return made


def volume_page(window: Window, volume: Volume) -> None:
    window.open(f"/admin/volumes/volume/{volume.pk}/change/")


def test_force_delete_asks_and_may_be_thought_better_of(console: Window, volume: Volume) -> None:
    volume_page(console, volume)
    console.press("Force delete")
    assert console.heading == "Force delete?"
    assert "gone for good" in console.text
    assert str(volume.pk) in console.text

    console.follow("Keep as it is")
    assert console.heading == "letters available"
    assert not Operation.objects.filter(kind="volume.delete").exists()


def test_delete(console: Window, volume: Volume, storage: dict[str, MemoryDriver]) -> None:
    volume_page(console, volume)
    console.press("Delete")
    console.press("Delete")
    assert console.messages == ["Delete: letters"]
    assert console.heading == "letters deleting"
    # It goes its way like anybody's request, under the operator's name.
    operation = Operation.objects.get(kind="volume.delete")
    assert operation.user_id == LogEntry.objects.get().user_id
    assert operation.request_id.startswith("req-")

    Engine().run()
    assert not Volume.objects.exists()
    assert storage["fast"].list_volumes(pool="fast") == []


def test_force_delete_of_several_from_the_list(
    console: Window, volume: Volume, caller: Caller
) -> None:
    create_volume(caller=caller, size_gib=1, volume_type=volume.volume_type, name="scratch")
    console.open("/admin/volumes/volume/")
    console.find("#action-toggle").click()
    console.fill("Action", "Force delete")
    console.press("Go")
    console.press("Force delete")
    assert console.heading == "Volumes"
    Engine().run()
    assert not Volume.objects.exists()


def test_what_the_service_refuses_is_told_as_its_sentence(console: Window, volume: Volume) -> None:
    Volume.objects.update(attach_status="attached", status="in-use")
    console.open("/admin/volumes/volume/")
    console.find("#action-toggle").click()
    console.fill("Action", "Delete")
    console.press("Go")
    console.press("Delete")
    (message,) = console.messages
    assert message.startswith("Letters: Volume")
    assert "its status is in-use" in message
    assert not LogEntry.objects.exists()


def test_reset_status(console: Window, volume: Volume) -> None:
    volume_page(console, volume)
    console.press("Reset status")
    console.fill("Status", "error")
    console.press("Reset status")
    assert console.heading == "letters error"
    assert Transition.objects.last().note.startswith("reset by olga")

    console.follow("Acts of operators")
    assert "Reset status (status: error)" in console.text


def test_cancel(console: Window, caller: Caller, storage: object) -> None:
    create_volume(caller=caller, size_gib=2, volume_type=ensure_default_type(), name="letters")
    operation = Operation.objects.get()
    console.open(f"/admin/operations/operation/{operation.pk}/change/")
    console.press("Cancel")
    console.press("Cancel")
    assert "A cancel was requested." in console.text
    # Once is enough.
    assert not console.find_all(".object-tools button")

    Engine().run()
    operation.refresh_from_db()
    assert operation.status == Status.CANCELLED


def test_disable_wants_a_reason_and_enable_forgets_it(console: Window, volume: Volume) -> None:
    service = Service.objects.get(host__endswith="@fast")
    console.open(f"/admin/volumes/service/{service.pk}/change/")
    console.press("Disable")
    console.fill("Reason", "a new shelf")
    console.press("Disable")
    assert "disabled" in console.text
    service.refresh_from_db()
    assert (service.enabled, service.disabled_reason) == (False, "a new shelf")

    console.press("Enable")
    console.press("Enable")
    service.refresh_from_db()
    assert (service.enabled, service.disabled_reason) == (True, "")


def test_a_type_is_made_changed_and_deleted(console: Window) -> None:
    console.open("/admin/volumes/volumetype/add/")
    console.fill("Name", "gold")
    console.fill("Extra specs", "volume_backend_name=fast\nnonsense")
    console.press("Save")
    assert "“nonsense” is not of the form key=value." in console.text

    console.fill("Extra specs", "volume_backend_name = fast\ncapabilities:thin=<is> True")
    console.press("Save")
    gold = VolumeType.objects.get(name="gold")
    assert gold.extra_specs == {"volume_backend_name": "fast", "capabilities:thin": "<is> True"}

    console.follow("gold")
    assert console.value("Extra specs") == "capabilities:thin=<is> True\nvolume_backend_name=fast"
    console.fill("Name", "platinum")
    console.fill("Extra specs", "")
    console.press("Save")
    gold.refresh_from_db()
    assert (gold.name, gold.extra_specs) == ("platinum", {})

    console.follow("platinum")
    console.press("Delete")
    console.press("Delete")
    assert console.messages == ["Delete: platinum"]
    assert not VolumeType.objects.exists()


def test_a_type_in_use_stays(console: Window, volume: Volume) -> None:
    in_use = create_type(name="gold", description=None, is_public=True, extra_specs={})
    Volume.objects.update(volume_type=in_use)
    console.open(f"/admin/volumes/volumetype/{in_use.pk}/change/")
    console.press("Delete")
    console.press("Delete")
    (message,) = console.messages
    assert "still in use" in message


def test_limits_of_a_project_and_of_all(console: Window, project: Project) -> None:
    console.open("/admin/volumes/quotalimit/add/")
    console.fill("Project", "demo")
    console.fill("Resource", "gigabytes")
    console.fill("Limit", "-2")
    console.press("Save")
    assert not QuotaLimit.objects.exists()
    console.fill("Limit", "500")
    console.press("Save")
    limit = QuotaLimit.objects.get()
    assert (limit.project_id, limit.resource, limit.limit) == (project.pk, "gigabytes", 500)

    console.follow("gigabytes")
    console.fill("Limit", "-1")
    console.press("Save")
    assert "none" in console.rows()[0]

    console.follow("gigabytes")
    console.press("Let the defaults count again")
    console.press("Let the defaults count again")
    assert not QuotaLimit.objects.exists()

"""The question before an act: asked of everybody, for a bounded number of rows."""

from django.contrib.admin.models import LogEntry
from django.test import Client

from storage_project.console.confirmation import MOST_ROWS
from storage_project.operations.models import Operation
from tests.factories import ServiceFactory, VolumeFactory, VolumeTypeFactory
from volumes.models import Service, Volume

VOLUMES = "/admin/volumes/volume/"
SERVICES = "/admin/volumes/service/"


def test_nothing_is_done_before_the_answer(console: Client) -> None:
    volume = VolumeFactory()
    page = console.post(VOLUMES, {"action": "force_delete", "_selected_action": volume.pk})
    assert page.status_code == 200
    assert page.context["title"] == "Force delete?"
    assert not Operation.objects.exists()
    assert not LogEntry.objects.exists()


def test_an_answer_that_is_missing_is_asked_for_again(console: Client) -> None:
    service: Service = ServiceFactory()
    page = console.post(
        SERVICES, {"action": "disable", "_selected_action": service.pk, "confirmed": "1"}
    )
    assert page.context["form"].errors == {"reason": ["This field is required."]}
    service.refresh_from_db()
    assert service.enabled


def test_no_more_rows_than_can_be_looked_through(console: Client) -> None:
    kind = VolumeTypeFactory()
    for _ in range(MOST_ROWS + 1):
        VolumeFactory(volume_type=kind, pool=None)
    every = [str(pk) for pk in Volume.objects.values_list("pk", flat=True)]
    page = console.post(
        VOLUMES,
        {"action": "force_delete", "_selected_action": every, "confirmed": "1"},
        follow=True,
    )
    assert "Choose at most 200 at a time. Nothing was done." in page.content.decode()
    assert Volume.objects.count() == len(every)


def test_of_several_rows_each_is_answered_for(console: Client) -> None:
    """What one row is refused keeps the others from nothing."""
    gone = VolumeFactory(name="scratch")
    kept = VolumeFactory(name="letters", status="in-use", attach_status="attached")
    page = console.post(
        VOLUMES,
        {"action": "delete", "_selected_action": [gone.pk, kept.pk], "confirmed": "1"},
        follow=True,
    )
    told = [str(message) for message in page.context["messages"]]
    assert any(
        message.startswith(f"letters: Volume {kept.pk} cannot be deleted") for message in told
    )
    assert "Delete: scratch" in told
    assert [operation.resource_id for operation in Operation.objects.all()] == [gone.pk]
    assert LogEntry.objects.get().object_repr == "scratch"

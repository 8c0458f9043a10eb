"""Every list of the console: as many queries for many rows as for few, and nothing to write to."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backups.models import ScheduledBackup
from storage_project.operations.models import Operation, Transition
from tests.factories import (
    AttachmentFactory,
    BackupFactory,
    MessageFactory,
    OperationFactory,
    PoolFactory,
    ProjectFactory,
    ScheduleFactory,
    ScheduleRunFactory,
    ServerFactory,
    ServiceFactory,
    SnapshotFactory,
    VolumeFactory,
    VolumeTypeFactory,
)
from volumes.models import QuotaLimit, QuotaUsage, Server

MANY = 20


def make_transition() -> Transition:
    operation: Operation = OperationFactory()
    return Transition.objects.create(
        operation=operation,
        resource_type="volume",
        resource_id=operation.resource_id,
        was="creating",
        became="available",
    )


def make_server() -> Server:
    server: Server = ServerFactory(project_id=ProjectFactory().pk)
    AttachmentFactory.create_batch(2, server_id=server.pk)
    return server


def make_scheduled() -> ScheduledBackup:
    run = ScheduleRunFactory()
    values = {"schedule_id": run.schedule_id, "begins_at": run.slot, "note": "Why."}
    backup_id = BackupFactory().pk
    return ScheduledBackup.objects.create(
        run=run, volume_id=VolumeFactory().pk, backup_id=backup_id, **values
    )


def make_usage() -> QuotaUsage:
    return QuotaUsage.objects.create(project_id=ProjectFactory().pk, resource="volumes", in_use=2)


def make_limit() -> QuotaLimit:
    return QuotaLimit.objects.create(project_id=ProjectFactory().pk, resource="volumes", limit=3)


ENGINE_ROWS: dict[str, Callable[[], Model]] = {
    "volumes/volume": lambda: VolumeFactory(project_id=ProjectFactory().pk),
    "volumes/snapshot": lambda: SnapshotFactory(project_id=ProjectFactory().pk),
    "volumes/attachment": lambda: AttachmentFactory(project_id=ProjectFactory().pk),
    "volumes/server": make_server,
    "volumes/service": ServiceFactory,
    "volumes/pool": PoolFactory,
    "volumes/quotausage": make_usage,
    "backups/backup": lambda: BackupFactory(project_id=ProjectFactory().pk),
    "backups/schedule": lambda: ScheduleFactory(project_id=ProjectFactory().pk),
    "backups/schedulerun": lambda: make_scheduled().run,
    "backups/scheduledbackup": make_scheduled,
    "operations/operation": lambda: OperationFactory(project_id=ProjectFactory().pk),
    "operations/message": lambda: MessageFactory(operation=OperationFactory()),
    "operations/transition": make_transition,
}
ROWS = ENGINE_ROWS | {
    "volumes/volumetype": VolumeTypeFactory,
    "volumes/quotalimit": make_limit,
}


@pytest.mark.parametrize("place", ROWS)
def test_many_rows_cost_as_many_queries_as_one(console: Client, place: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert console.get(f"/admin/{place}/").status_code == 200
        return len(queries)

    ROWS[place]()
    console.get(f"/admin/{place}/")  # the first request of a session looks more up
    for_one = queries()
    for _ in range(MANY):
        ROWS[place]()
    assert queries() == for_one


@pytest.mark.parametrize("place", ENGINE_ROWS)
def test_what_the_engine_owns_is_only_looked_at(console: Client, place: str) -> None:
    row = ENGINE_ROWS[place]()
    page = f"/admin/{place}/{row.pk}/change/"
    assert console.get(page).status_code == 200
    assert console.post(page, {"status": "available"}).status_code == 403
    assert console.get(f"/admin/{place}/add/").status_code == 403


@pytest.mark.parametrize("place", ROWS)
def test_nothing_is_deleted_behind_the_services(console: Client, place: str) -> None:
    row = ROWS[place]()
    assert console.post(f"/admin/{place}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    console.post(f"/admin/{place}/", {"action": "delete_selected", "_selected_action": row.pk})
    assert type(row)._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("place", ROWS)
def test_others_are_sent_to_sign_in(db: None, place: str) -> None:
    row = ROWS[place]()
    for page in (f"/admin/{place}/", f"/admin/{place}/{row.pk}/change/"):
        response = Client().get(page)
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")


def test_the_page_of_a_volume_leads_to_its_snapshots(console: Client) -> None:
    mine, _ = SnapshotFactory(name="mine"), SnapshotFactory(name="other")
    page = console.get(f"/admin/volumes/volume/{mine.volume_id}/change/").content.decode()
    assert f"/admin/volumes/snapshot/{mine.pk}/change/" in page
    address = f"/admin/volumes/snapshot/?volume__id__exact={mine.volume_id}"
    assert address in page
    listed = console.get(address).content.decode()
    assert "mine" in listed
    assert "other" not in listed


def test_the_page_of_a_volume_leads_to_its_attachments(console: Client) -> None:
    mine, other = AttachmentFactory(), AttachmentFactory()
    page = console.get(f"/admin/volumes/volume/{mine.volume_id}/change/").content.decode()
    assert f"/admin/volumes/attachment/{mine.pk}/change/" in page
    address = f"/admin/volumes/attachment/?volume__id__exact={mine.volume_id}"
    assert address in page
    listed = console.get(address).content.decode()
    assert str(mine.pk) in listed
    assert str(other.pk) not in listed


def test_what_is_sealed_in_an_attachment_is_not_shown(console: Client) -> None:
    info = {"driver_volume_type": "iscsi", "data": {"auth_password": "open sesame"}}
    row = AttachmentFactory(secret="open sesame", connection_info=info)
    for page in ("", f"{row.pk}/change/"):
        shown = console.get(f"/admin/volumes/attachment/{page}").content.decode()
        assert str(row.pk) in shown
        assert "sesame" not in shown


def test_the_page_of_a_server_leads_to_its_volumes(console: Client) -> None:
    server = ServerFactory(name="web")
    mine = AttachmentFactory(server_id=server.pk, mountpoint="/dev/vdc")
    other = AttachmentFactory(server_id=ServerFactory().pk)
    page = console.get(f"/admin/volumes/server/{server.pk}/change/").content.decode()
    assert f"/admin/volumes/volume/{mine.volume_id}/change/" in page
    assert f"/admin/volumes/attachment/{mine.pk}/change/" in page
    assert "/dev/vdc" in page
    address = f"/admin/volumes/attachment/?server_id={server.pk}"
    assert address in console.get("/admin/volumes/server/").content.decode()
    listed = console.get(address).content.decode()
    assert str(mine.pk) in listed
    assert str(other.pk) not in listed


def test_a_server_is_given_to_another_project(console: Client) -> None:
    server, project = ServerFactory(), ProjectFactory()
    attachment = AttachmentFactory(server_id=server.pk)
    chosen = {
        "action": "give",
        "_selected_action": server.pk,
        "confirmed": "1",
        "answer-project": project.pk,
    }
    page = console.post("/admin/volumes/server/", chosen, follow=True).content.decode()
    assert "detach its volumes first" in page
    server.refresh_from_db()
    assert server.project_id != project.pk
    attachment.delete()
    console.post("/admin/volumes/server/", chosen)
    server.refresh_from_db()
    assert server.project_id == project.pk

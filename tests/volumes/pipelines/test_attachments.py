"""Connecting and disconnecting: in which order, with what left behind, and told to whom."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from django.core import serializers

from drivers.errors import DriverError, Reason
from drivers.export.base import Export
from drivers.export.memory import MemoryExport
from storage_project.operations.flow import StateConflict
from storage_project.operations.models import Message, Operation, Transition
from storage_project.operations.services import cancel_operation
from storage_project.operations.states import STEPS, Status, Step
from tests.crash.accidents import Moment, failing, killed
from tests.operations.consistency import require_consistent
from tests.operations.world import HERE, World
from volumes.exports import open_export
from volumes.models import Attachment, Pool, Volume
from volumes.services.attachments import (
    complete_attachment,
    connect_attachment,
    create_attachment,
    delete_attachment,
)
from volumes.services.connections import (
    attach_volume,
    detach_volume,
    force_detach,
    initialize_connection,
    terminate_connection,
)
from volumes.services.volumes import (
    delete_volume,
    force_delete_volume,
    reset_status,
    set_readonly,
)

CONNECTOR = {"host": "somewhere"}
BROKEN = DriverError("It is broken.", code=Reason.failed)


def exported() -> list[str]:
    return [published.export_id for published in open_export("memory").list_exports()]


def only() -> Attachment:
    return Attachment.objects.get()


def delete(world: World) -> None:
    delete_attachment(attachment=only(), caller=world.caller)


def status_of(volume: Volume) -> str:
    volume.refresh_from_db()
    return volume.status


def test_wanted_before_it_is_there_and_not_when_it_goes(world: World) -> None:
    seen: list[tuple[str, bool]] = []
    publish, revoke = MemoryExport.publish, MemoryExport.revoke

    def spied_publish(driver: MemoryExport, export: Export) -> Any:
        row = only()
        assert (row.secret, row.export) == (export.secret, "memory")
        assert len(export.secret) >= 12
        seen.append(("publish", row.wanted))
        return publish(driver, export)

    def spied_revoke(driver: MemoryExport, export_id: str, *, host: str) -> None:
        seen.append(("revoke", only().wanted))
        revoke(driver, export_id, host=host)

    with (
        patch.object(MemoryExport, "publish", spied_publish),
        patch.object(MemoryExport, "revoke", spied_revoke),
    ):
        world.attachment()
        delete(world)
        world.engine.run()
    assert seen == [("publish", True), ("revoke", False)]


def test_the_secret_stays_what_it_was_when_a_worker_dies(world: World) -> None:
    volume = world.volume()
    create_attachment(volume=volume, caller=world.caller, connector=CONNECTOR)
    with killed("attachment.connect", Step.PROVISION, Moment.AFTER):
        world.engine.look()
    secret = only().secret
    world.engine.run()
    assert only().secret == secret
    assert only().connection_info["data"]["auth_password"] == secret


def test_secrets_are_told_to_nobody(
    world: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    attachment = world.attachment()
    secret = attachment.secret
    for step in (Step.PROVISION, Step.REPORT):
        with failing("attachment.delete", step, BROKEN):
            delete(world)
            world.engine.run()
    rows = [*Operation.objects.all(), *Transition.objects.all(), *Message.objects.all()]
    assert len(rows) > 6
    told = serializers.serialize("json", rows) + caplog.text + "".join(capfd.readouterr())
    told += repr(attachment) + str(attachment)
    assert secret not in told
    assert "auth_" not in told


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("step", STEPS)
def test_deleted_while_its_worker_is_dead(world: World, step: Step, moment: Moment) -> None:
    volume = world.volume()
    create_attachment(volume=volume, caller=world.caller, connector=CONNECTOR)
    with killed("attachment.connect", step, moment):
        world.engine.look()
    delete(world)
    delete(world)
    world.engine.run()
    require_consistent()
    assert (Attachment.objects.count(), exported()) == (0, [])
    assert status_of(volume) == "available"


@pytest.mark.parametrize("step", STEPS)
def test_cut_off_by_an_administrator_while_it_is_connected(world: World, step: Step) -> None:
    """The rows go at once; what is exported without one is the reconciler's to take away."""
    volume = world.volume()
    create_attachment(volume=volume, caller=world.caller, connector=CONNECTOR)
    with world.engine.deaf_to(f"attachment.connect.{step}"):
        world.engine.look()
    reset_status(volume=volume, status="available", attach_status="detached", caller=world.caller)
    assert not Attachment.objects.exists()
    world.engine.run()
    operation = Operation.objects.get(kind="attachment.connect")
    assert operation.status in (Status.FAILED, Status.SUCCEEDED)
    assert status_of(volume) == "available"


@pytest.mark.parametrize("step", [Step.VALIDATE, Step.SCHEDULE])
def test_a_delete_that_is_cancelled_before_it_began(world: World, step: Step) -> None:
    complete_attachment(attachment=world.attachment())
    with world.engine.deaf_to(f"attachment.delete.{step}"):
        delete(world)
        world.engine.look()
    volume = only().volume
    assert status_of(volume) == "detaching"
    cancel_operation(operation=Operation.objects.get(kind="attachment.delete"))
    world.engine.run()
    require_consistent()
    assert only().status == "attached"
    assert status_of(volume) == "in-use"
    assert exported() == [str(only().pk)]


def test_what_could_not_be_taken_back_keeps_the_volume(world: World) -> None:
    volume = world.volume()
    with (
        failing("attachment.connect", Step.PROVISION, BROKEN, after_effect=True),
        failing("attachment.connect", Step.UNDO, BROKEN),
    ):
        create_attachment(volume=volume, caller=world.caller, connector=CONNECTOR)
        world.engine.run()
    require_consistent()
    assert (only().status, only().wanted) == ("error_detaching", False)
    assert status_of(volume) == "detaching"
    assert exported() == [str(only().pk)]
    delete(world)
    world.engine.run()
    require_consistent()
    assert (status_of(volume), exported()) == ("available", [])


def test_each_export_says_why_it_cannot(world: World, configure: Callable[[str], None]) -> None:
    configure('[backends.three]\ndriver = "memory"\nexports = ["file", "nbd"]')
    Pool.objects.exclude(backend="three").delete()
    world.attachment()
    assert only().status == "error_attaching"
    message = Message.objects.get()
    assert message.code == "no_export"
    assert "file is for volumes that are files; nbd is for" in message.sentence


def test_a_backend_without_exports_says_so(world: World, configure: Callable[[str], None]) -> None:
    configure('[backends.three]\ndriver = "memory"\nexports = []')
    Pool.objects.exclude(backend="three").delete()
    world.attachment()
    assert "three has none" in Message.objects.get().sentence


def test_a_readonly_volume_is_exported_for_reading_only(world: World) -> None:
    volume = world.volume()
    set_readonly(volume=volume, readonly=True)
    assert world.attachment(volume=volume).connection_info["data"]["access_mode"] == "ro"


def test_a_volume_whose_status_was_forced_elsewhere_is_not_connected(world: World) -> None:
    volume = world.volume()
    with world.engine.deaf_to("attachment.connect.validate"):
        create_attachment(volume=volume, caller=world.caller, connector=CONNECTOR)
    reset_status(volume=volume, status="maintenance", caller=world.caller)
    world.engine.run()
    require_consistent()
    assert only().status == "error_attaching"
    assert status_of(volume) == "maintenance"


class TestVolumesAndTheirAttachments:
    def test_a_volume_in_use_is_deleted_by_nobody(self, world: World) -> None:
        volume = world.attachment().volume
        for act in (delete_volume, force_delete_volume):
            with pytest.raises(StateConflict, match="while it is attaching"):
                act(volume=volume, caller=world.caller)
        complete_attachment(attachment=only())
        for act in (delete_volume, force_delete_volume):
            with pytest.raises(StateConflict, match="while it is attached"):
                act(volume=volume, caller=world.caller)
        assert status_of(volume) == "in-use"

    def test_one_that_could_not_be_connected_goes_with_it(self, world: World) -> None:
        volume = world.volume()
        with failing("attachment.connect", Step.PROVISION, BROKEN):
            world.attachment(volume=volume)
        delete_volume(volume=volume, caller=world.caller)
        world.engine.run()
        require_consistent()
        assert not Volume.objects.exists()
        assert not Attachment.objects.exists()

    def test_a_reserved_one_is_deleted_by_force(self, world: World) -> None:
        volume = world.volume()
        create_attachment(volume=volume, caller=world.caller)
        with pytest.raises(StateConflict, match="reserved"):
            delete_volume(volume=volume, caller=world.caller)
        force_delete_volume(volume=volume, caller=world.caller)
        with pytest.raises(StateConflict, match="deleting"):
            connect_attachment(attachment=only(), caller=world.caller, connector=CONNECTOR)
        world.engine.run()
        require_consistent()
        assert not Volume.objects.exists()

    def test_detached_before_its_connection_is_terminated(self, world: World) -> None:
        """The export goes once, and the row with it although the first request keeps that."""
        volume = world.attachment().volume
        complete_attachment(attachment=only())
        terminate_connection(volume=volume, caller=world.caller, connector=None)
        for _ in range(2):
            detach_volume(volume=volume, caller=world.caller)
            terminate_connection(volume=volume, caller=world.caller, connector=HERE)
        world.engine.run()
        require_consistent()
        assert (status_of(volume), exported()) == ("available", [])
        assert Operation.objects.filter(kind="attachment.delete").count() == 2

    def test_what_is_being_connected_is_not_called_attached(self, world: World) -> None:
        volume = world.volume()
        initialize_connection(volume=volume, caller=world.caller, connector=HERE)
        with pytest.raises(StateConflict, match="attaching"):
            attach_volume(
                volume=volume,
                caller=world.caller,
                server_id=None,
                host_name=HERE["host"],
                mountpoint="/dev/vdb",
                attach_mode="rw",
            )

    def test_a_forced_detach_does_not_wait_for_its_turn(self, world: World) -> None:
        volume = world.volume()
        initialize_connection(volume=volume, caller=world.caller, connector=CONNECTOR)
        with killed("attachment.connect", Step.PROVISION, Moment.AFTER):
            world.engine.look()
        force_detach(volume=volume, caller=world.caller, attachment_id=only().pk)
        world.engine.run()
        require_consistent()
        assert (status_of(volume), exported()) == ("available", [])

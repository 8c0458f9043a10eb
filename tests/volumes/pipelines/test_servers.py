"""Attaching to servers: what the guest sees, what it may refuse, and what is told meanwhile."""

from dataclasses import replace

import pytest

from drivers.errors import DriverError, Reason
from drivers.faults import Fault
from drivers.hypervisor.base import serial_of
from drivers.hypervisor.memory import MemoryHypervisor
from drivers.units import GIB
from storage_project.api.faults import Conflict
from storage_project.identity.services import ensure_project
from storage_project.operations.flow import StateConflict
from storage_project.operations.models import Message, Operation
from storage_project.operations.services import cancel_operation
from tests.operations.consistency import require_consistent, require_exact_exports
from tests.operations.world import World
from volumes.exports import open_export
from volumes.hypervisors import open_hypervisor, report_hypervisor
from volumes.models import Attachment, Server, Volume
from volumes.services.attachments import delete_attachment
from volumes.services.connections import force_detach
from volumes.services.servers import attach_to_server, detach_from_server
from volumes.services.volumes import extend_volume

pytestmark = pytest.mark.django_db


@pytest.fixture
def hypervisor(world: World) -> MemoryHypervisor:
    found = open_hypervisor("lab")
    assert isinstance(found, MemoryHypervisor)
    return found


def status_of(volume: Volume) -> str:
    return Volume.objects.get(pk=volume.pk).status


def test_an_attached_volume_is_a_disk_of_the_server(world, hypervisor):
    attachment = world.attached()
    assert (attachment.status, attachment.mountpoint) == ("attached", "/dev/vda")
    [disk] = hypervisor.look(str(attachment.server_id))
    assert disk.serial == serial_of(str(attachment.volume_id))
    assert status_of(attachment.volume) == "in-use"
    kinds = Operation.objects.filter(resource_id=attachment.pk).order_by("created_at")
    assert [*kinds.values_list("kind", flat=True)] == ["attachment.connect", "server.attach"]
    require_consistent()


def test_a_hypervisor_that_cannot_leaves_the_volume_as_it_was(world, hypervisor):
    volume = world.volume()
    no_slot = DriverError("The server has no slot left.", code=Reason.unsupported)
    hypervisor.faults.next("attach", Fault(error=no_slot))
    attach_to_server(server=world.server(), volume=volume, caller=world.caller)
    world.engine.run()
    assert status_of(volume) == "available"
    assert not Attachment.objects.exists()
    assert "no slot left" in Message.objects.get().sentence
    require_consistent()


def test_an_export_that_cannot_leaves_the_volume_as_it_was(world):
    volume = world.volume()
    open_export("memory").faults.next("publish", Fault.failure())
    attach_to_server(server=world.server(), volume=volume, caller=world.caller)
    world.engine.run()
    assert status_of(volume) == "available"
    assert not Attachment.objects.exists()
    require_consistent()


def test_only_a_server_that_runs_is_attached_to(world):
    server, volume = world.server(), world.volume()
    Server.objects.update(status="SHUTOFF")
    server.refresh_from_db()
    with pytest.raises(Conflict, match="SHUTOFF"):
        attach_to_server(server=server, volume=volume, caller=world.caller)


def test_a_volume_is_attached_to_a_server_once(world):
    attachment = world.attached()
    with pytest.raises(StateConflict, match="already"):
        attach_to_server(server=world.server(), volume=attachment.volume, caller=world.caller)


class TestAGuestThatHoldsItsDisk:
    @pytest.fixture
    def attachment(self, world, hypervisor, monkeypatch) -> Attachment:
        monkeypatch.setattr("volumes.pipelines.detach.RELEASE_S", 0.0)
        attachment = world.attached()
        hypervisor.hold(str(attachment.server_id))
        detach_from_server(attachment=attachment, caller=world.caller)
        for _ in range(3):
            world.engine.look()
            world.engine.pass_time()
        return attachment

    def test_keeps_the_volume_detaching_and_its_export(self, attachment):
        operation = Operation.objects.get(kind="server.detach")
        assert operation.phase == "waits for the guest to release the disk"
        assert status_of(attachment.volume) == "detaching"
        require_exact_exports()

    def test_is_asked_again_until_it_lets_go(self, world, hypervisor, attachment):
        hypervisor.release(str(attachment.server_id))
        world.engine.run()
        assert status_of(attachment.volume) == "available"
        require_consistent()

    def test_has_been_asked_so_it_cannot_be_cancelled(self, attachment):
        with pytest.raises(Conflict, match="no way back"):
            cancel_operation(operation=Operation.objects.get(kind="server.detach"))

    def test_is_cut_off_by_force(self, world, attachment):
        force_detach(volume=attachment.volume, caller=world.caller)
        world.engine.run()
        assert status_of(attachment.volume) == "available"
        assert not open_export("memory").list_exports()
        assert Operation.objects.get(kind="server.detach").status == "cancelled"


def test_force_before_the_guest_was_asked(world):
    attachment = world.attached()
    detach_from_server(attachment=attachment, caller=world.caller)
    force_detach(volume=attachment.volume, caller=world.caller)
    world.engine.run()
    assert status_of(attachment.volume) == "available"
    assert not open_export("memory").list_exports()


def test_the_export_goes_from_under_no_server_that_runs(world, hypervisor):
    attachment = world.attached()
    admin = replace(world.caller, roles=frozenset({"admin"}))
    with pytest.raises(Conflict, match="using the Compute API"):
        delete_attachment(attachment=attachment, caller=admin)
    Server.objects.update(status="SHUTOFF")
    hypervisor.stop(str(attachment.server_id))
    delete_attachment(attachment=attachment, caller=admin)
    world.engine.run()
    assert status_of(attachment.volume) == "available"
    require_consistent()


def test_what_grows_in_use_grows_in_the_guest(world, hypervisor):
    attachment = world.attached()
    extend_volume(volume=attachment.volume, new_size_gib=4, caller=world.caller, also_in_use=True)
    world.engine.run()
    volume = Volume.objects.get(pk=attachment.volume_id)
    assert (volume.size_gib, volume.status) == (4, "in-use")
    [disk] = hypervisor.look(str(attachment.server_id))
    assert disk.size_bytes == 4 * GIB
    require_consistent()


def test_what_cannot_grow_in_use_stays_as_it_is(world, monkeypatch):
    attachment = world.attached()
    monkeypatch.setattr(type(open_export("memory")), "extends_in_use", False)
    extend_volume(volume=attachment.volume, new_size_gib=4, caller=world.caller, also_in_use=True)
    world.engine.run()
    volume = Volume.objects.get(pk=attachment.volume_id)
    assert (volume.size_gib, volume.status) == (1, "in-use")
    assert "detach it first" in Message.objects.get().sentence
    require_consistent()


def test_servers_are_what_the_hypervisor_reports(world, hypervisor):
    project = ensure_project(name="demo")
    report_hypervisor("lab")
    assert {*Server.objects.values_list("name", "status", "project_id")} == {
        ("one", "ACTIVE", project.pk),
        ("two", "ACTIVE", project.pk),
    }
    one = str(Server.objects.get(name="one").pk)
    hypervisor.stop(one)
    Server.objects.filter(pk=one).update(project_id="other")
    report_hypervisor("lab")
    assert Server.objects.get(pk=one).status == "SHUTOFF"
    assert Server.objects.get(pk=one).project_id == "other"

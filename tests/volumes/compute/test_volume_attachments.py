"""Attaching volumes to servers, and detaching them, over HTTP."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from drivers.errors import DriverError, Reason
from drivers.faults import Fault
from drivers.hypervisor.base import serial_of
from drivers.hypervisor.memory import MemoryHypervisor
from storage_project.operations.models import Message, Operation
from tests.accounts import Account
from tests.factories import VolumeFactory, VolumeTypeFactory
from tests.operations.consistency import require_consistent, require_exact_exports
from tests.operations.world import World
from volumes.models import Attachment, Server, Volume

NOBODYS_ID = "5d1d6ae8-92b0-4b52-a5a6-6e0f3b3a9d10"
NO_SLOT = DriverError("The server has no slot left.", code=Reason.unsupported)


def address(server: Server, volume: Volume | None = None) -> str:
    attachments = f"/compute/v2.1/servers/{server.pk}/os-volume_attachments"
    return f"{attachments}/{volume.pk}" if volume else attachments


def attach(account: Account, server: Server, volume: Volume, **values: Any) -> Any:
    body = {"volumeAttachment": {"volumeId": str(volume.pk), **values}}
    return account.client().post(address(server), body)


def detach(account: Account, server: Server, volume: Volume) -> Any:
    return account.client().delete(address(server, volume))


def listed(account: Account, server: Server) -> list[dict[str, Any]]:
    response = account.client().get(address(server))
    assert response.status_code == 200
    attachments: list[dict[str, Any]] = response.json()["volumeAttachments"]
    return attachments


def message(response: Any) -> str:
    [fault] = response.json().values()
    return str(fault["message"])


def status_of(volume: Volume) -> str:
    return Volume.objects.get(pk=volume.pk).status


@pytest.fixture
def attached(lab: World, member: Account, server: Server, volume: Volume) -> Volume:
    """A volume that has been attached to the server."""
    assert attach(member, server, volume).status_code == 200
    lab.engine.run()
    return Volume.objects.get(pk=volume.pk)


class TestAttach:
    def test_is_answered_at_once_and_ends_with_a_disk(
        self,
        lab: World,
        member: Account,
        server: Server,
        volume: Volume,
        hypervisor: MemoryHypervisor,
    ) -> None:
        response = attach(member, server, volume, device="/dev/vdx")
        assert response.status_code == 200
        expected = {
            "id": str(volume.pk),
            "volumeId": str(volume.pk),
            "serverId": str(server.pk),
            "device": None,
        }
        assert response.json() == {"volumeAttachment": expected}
        assert status_of(volume) == "attaching"
        assert listed(member, server) == [expected]

        lab.engine.run()
        assert status_of(volume) == "in-use"
        assert listed(member, server) == [{**expected, "device": "/dev/vda"}]
        shown = member.client().get(address(server, volume)).json()
        assert shown == {"volumeAttachment": {**expected, "device": "/dev/vda"}}
        [disk] = hypervisor.look(str(server.pk))
        assert (disk.serial, disk.read_only) == (serial_of(str(volume.pk)), False)
        require_consistent()

    def test_is_told_by_block_storage_too(
        self, member: Account, server: Server, attached: Volume
    ) -> None:
        response = member.client().get(f"/v3/volumes/{attached.pk}")
        [attachment] = response.json()["volume"]["attachments"]
        assert (attachment["server_id"], attachment["device"]) == (str(server.pk), "/dev/vda")
        response = member.client().get("/v3/attachments/detail")
        [attachment] = response.json()["attachments"]
        assert (attachment["instance"], attachment["status"]) == (str(server.pk), "attached")

    def test_two_in_the_order_in_which_they_came(
        self, lab: World, member: Account, server: Server, attached: Volume
    ) -> None:
        Attachment.objects.update(created_at=timezone.now() - timedelta(minutes=1))
        other = lab.volume()
        attach(member, server, other)
        lab.engine.run()
        assert [each["device"] for each in listed(member, server)] == ["/dev/vda", "/dev/vdb"]
        assert [each["id"] for each in listed(member, server)] == [str(attached.pk), str(other.pk)]
        response = member.client().get(address(server), {"limit": 1, "offset": 1})
        [second] = response.json()["volumeAttachments"]
        assert second["id"] == str(other.pk)

    def test_a_volume_for_reading_only_as_such(
        self, lab: World, member: Account, server: Server, hypervisor: MemoryHypervisor
    ) -> None:
        volume = lab.volume()
        Volume.objects.filter(pk=volume.pk).update(readonly=True)
        attach(member, server, volume)
        lab.engine.run()
        [disk] = hypervisor.look(str(server.pk))
        assert disk.read_only

    def test_twice_is_refused(self, member: Account, server: Server, attached: Volume) -> None:
        response = attach(member, server, attached)
        assert response.status_code == 400
        assert "already" in message(response)
        assert Attachment.objects.count() == 1

    def test_what_another_server_has_is_refused(
        self, lab: World, member: Account, attached: Volume
    ) -> None:
        response = attach(member, lab.server(1), attached)
        assert response.status_code == 400
        assert "in-use" in message(response)

    def test_with_multiattach_several_servers_have_it(
        self, lab: World, member: Account, attached: Volume
    ) -> None:
        kind = VolumeTypeFactory(extra_specs={"multiattach": "<is> True"})
        Volume.objects.update(volume_type=kind, multiattach=True)
        assert attach(member, lab.server(1), attached).status_code == 200
        lab.engine.run()
        assert status_of(attached) == "in-use"
        detach(member, lab.server(1), attached)
        lab.engine.run()
        assert status_of(attached) == "in-use"

    @pytest.mark.parametrize("status", ["creating", "error", "reserved", "deleting", "extending"])
    def test_a_volume_that_is_not_available_is_refused(
        self, member: Account, server: Server, volume: Volume, status: str
    ) -> None:
        Volume.objects.update(status=status)
        response = attach(member, server, volume)
        assert response.status_code == 400
        assert status in message(response)
        assert not Attachment.objects.exists()

    @pytest.mark.parametrize("status", ["SHUTOFF", "ERROR"])
    def test_a_server_that_does_not_run_is_refused(
        self, member: Account, server: Server, volume: Volume, status: str
    ) -> None:
        Server.objects.update(status=status)
        response = attach(member, server, volume)
        assert response.status_code == 409
        assert status in response.json()["conflictingRequest"]["message"]
        assert status_of(volume) == "available"

    def test_a_paused_server_is_not(self, member: Account, server: Server, volume: Volume) -> None:
        Server.objects.update(status="PAUSED")
        assert attach(member, server, volume).status_code == 200

    def test_that_fails_leaves_the_volume_as_it_was_and_a_message(
        self,
        lab: World,
        member: Account,
        server: Server,
        volume: Volume,
        hypervisor: MemoryHypervisor,
    ) -> None:
        hypervisor.faults.next("attach", Fault(error=NO_SLOT))
        assert attach(member, server, volume).status_code == 200
        lab.engine.run()
        assert listed(member, server) == []
        assert status_of(volume) == "available"
        [told] = member.client().get("/v3/messages").json()["messages"]
        assert "no slot left" in told["user_message"]
        require_consistent()
        assert attach(member, server, volume).status_code == 200
        lab.engine.run()
        assert status_of(volume) == "in-use"

    def test_once_for_an_idempotency_key(
        self, member: Account, server: Server, volume: Volume
    ) -> None:
        client = member.client()
        body = {"volumeAttachment": {"volumeId": str(volume.pk)}}
        key = {"Idempotency-Key": "once"}
        answers = [client.post(address(server), body, headers=key).json() for _ in range(2)]
        assert answers[0] == answers[1]
        assert Attachment.objects.count() == 1

    @pytest.mark.parametrize("volume_id", ["", "7", None, 7])
    def test_refuses_what_is_no_volume(
        self, member: Account, server: Server, volume_id: Any
    ) -> None:
        body = {"volumeAttachment": {"volumeId": volume_id}}
        response = member.client().post(address(server), body)
        assert response.status_code == 400
        assert "volumeId" in message(response)

    def test_a_reader_may_not(self, reader: Account, server: Server, volume: Volume) -> None:
        response = attach(reader, server, volume)
        assert response.status_code == 403
        assert "server:attach" in message(response)


class TestOthers:
    """Of what belongs to another project nothing is told, not even that it is there."""

    def test_a_volume_of_theirs_is_not_there(
        self, member: Account, stranger: Account, server: Server
    ) -> None:
        theirs = VolumeFactory(project_id=stranger.project.pk)
        response = attach(member, server, theirs)
        assert response.status_code == 404
        assert str(theirs.pk) in message(response)

    def test_a_server_of_theirs_is_not_there(
        self, stranger: Account, server: Server, attached: Volume
    ) -> None:
        own = VolumeFactory(project_id=stranger.project.pk)
        client = stranger.client()
        assert attach(stranger, server, own).status_code == 404
        assert client.get(address(server)).status_code == 404
        assert client.get(address(server, attached)).status_code == 404
        assert detach(stranger, server, attached).status_code == 404
        assert status_of(attached) == "in-use"

    def test_what_is_attached_elsewhere_is_not_there(
        self, lab: World, member: Account, attached: Volume
    ) -> None:
        other = lab.server(1)
        assert member.client().get(address(other, attached)).status_code == 404
        assert detach(member, other, attached).status_code == 404
        assert status_of(attached) == "in-use"

    @pytest.mark.parametrize("name", ["7", "nothing", NOBODYS_ID])
    def test_what_is_not_attached_is_not_there(
        self, member: Account, server: Server, name: str
    ) -> None:
        for method in (member.client().get, member.client().delete):
            response = method(f"{address(server)}/{name}")
            assert response.status_code == 404
            assert name in message(response)

    def test_an_administrator_may_act_for_them(
        self, lab: World, admin: Account, server: Server, volume: Volume
    ) -> None:
        assert attach(admin, server, volume).status_code == 200
        lab.engine.run()
        assert len(listed(admin, server)) == 1
        assert Attachment.objects.get().project_id == volume.project_id
        assert detach(admin, server, volume).status_code == 202
        lab.engine.run()
        assert status_of(volume) == "available"


class TestDetach:
    def test_is_accepted_and_then_it_is_gone(
        self,
        lab: World,
        member: Account,
        server: Server,
        attached: Volume,
        hypervisor: MemoryHypervisor,
    ) -> None:
        response = detach(member, server, attached)
        assert (response.status_code, response.content) == (202, b"")
        assert status_of(attached) == "detaching"
        assert len(listed(member, server)) == 1
        lab.engine.run()
        assert status_of(attached) == "available"
        assert listed(member, server) == []
        assert hypervisor.look(str(server.pk)) == []
        require_consistent()
        assert detach(member, server, attached).status_code == 404

    def test_a_reader_may_not(self, reader: Account, server: Server, attached: Volume) -> None:
        response = detach(reader, server, attached)
        assert response.status_code == 403
        assert "server:detach" in message(response)

    def test_while_it_is_being_attached_is_refused(
        self, member: Account, server: Server, volume: Volume
    ) -> None:
        attach(member, server, volume)
        response = detach(member, server, volume)
        assert response.status_code == 400
        assert "attachment.connect" in message(response)

    def test_of_a_server_that_has_stopped(
        self,
        lab: World,
        member: Account,
        server: Server,
        attached: Volume,
        hypervisor: MemoryHypervisor,
    ) -> None:
        hypervisor.stop(str(server.pk))
        Server.objects.update(status="SHUTOFF")
        assert detach(member, server, attached).status_code == 202
        lab.engine.run()
        assert status_of(attached) == "available"

    def test_that_fails_can_be_asked_for_again(
        self,
        lab: World,
        member: Account,
        server: Server,
        attached: Volume,
        hypervisor: MemoryHypervisor,
    ) -> None:
        broken = DriverError("It does not answer.", code=Reason.failed)
        hypervisor.faults.next("detach", Fault(error=broken))
        detach(member, server, attached)
        lab.engine.run()
        assert Attachment.objects.get().status == "error_detaching"
        assert status_of(attached) == "detaching"
        assert "does not answer" in Message.objects.get().sentence
        require_exact_exports()
        assert detach(member, server, attached).status_code == 202
        lab.engine.run()
        assert status_of(attached) == "available"


class TestAGuestThatHoldsItsDisk:
    @pytest.fixture
    def held(
        self,
        lab: World,
        member: Account,
        server: Server,
        attached: Volume,
        hypervisor: MemoryHypervisor,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Volume:
        """The guest was asked for it, and does not let it go."""
        monkeypatch.setattr("volumes.pipelines.detach.RELEASE_S", 0.0)
        hypervisor.hold(str(server.pk))
        assert detach(member, server, attached).status_code == 202
        for _ in range(3):
            lab.engine.look()
            lab.engine.pass_time()
        return attached

    @pytest.fixture
    def operation(self, member: Account, held: Volume) -> Callable[[], Any]:
        """How the operation that waits looks over HTTP."""
        operation = Operation.objects.get(kind="server.detach")
        return lambda: member.client().get(f"/v3/operations/{operation.pk}").json()["operation"]

    def test_is_waited_for_with_everything_in_place(
        self, member: Account, server: Server, held: Volume, operation: Callable[[], Any]
    ) -> None:
        shown = operation()
        assert shown["status"] in ("pending", "running")
        assert shown["phase"] == "waits for the guest to release the disk"
        assert status_of(held) == "detaching"
        assert len(listed(member, server)) == 1
        require_exact_exports()

    def test_lets_go_later(
        self,
        lab: World,
        member: Account,
        server: Server,
        held: Volume,
        operation: Callable[[], Any],
        hypervisor: MemoryHypervisor,
    ) -> None:
        hypervisor.release(str(server.pk))
        lab.engine.run()
        assert operation()["status"] == "succeeded"
        assert status_of(held) == "available"
        assert listed(member, server) == []
        require_consistent()

    def test_being_asked_once_more_says_what_is_waited_for(
        self, member: Account, server: Server, held: Volume
    ) -> None:
        response = detach(member, server, held)
        assert response.status_code == 400
        assert "waits for the guest to release the disk" in message(response)
        assert str(Operation.objects.get(kind="server.detach").pk) in message(response)

    def test_cannot_be_called_back(self, member: Account, operation: Callable[[], Any]) -> None:
        response = member.client().post(
            f"/v3/operations/{operation()['id']}/action", {"os-cancel": None}
        )
        assert response.status_code == 409
        assert "no way back" in message(response)

    def test_is_not_helped_by_deleting_the_attachment(self, member: Account, held: Volume) -> None:
        attachment = Attachment.objects.get()
        response = member.client().delete(f"/v3/attachments/{attachment.pk}")
        assert response.status_code == 409
        assert "Compute" in message(response)


class TestCancel:
    def cancel(self, account: Account, kind: str) -> None:
        operation = Operation.objects.get(kind=kind)
        action = f"/v3/operations/{operation.pk}/action"
        assert account.client().post(action, {"os-cancel": None}).status_code == 202

    def test_of_an_attach(
        self, lab: World, member: Account, server: Server, volume: Volume
    ) -> None:
        attach(member, server, volume)
        self.cancel(member, "attachment.connect")
        lab.engine.run()
        assert status_of(volume) == "available"
        assert listed(member, server) == []
        require_consistent()

    def test_of_an_attach_that_is_connected(
        self,
        lab: World,
        member: Account,
        server: Server,
        volume: Volume,
        hypervisor: MemoryHypervisor,
    ) -> None:
        attach(member, server, volume)
        with lab.engine.deaf_to("server.attach.provision"):
            for _ in range(3):
                lab.engine.look()
                lab.engine.pass_time()
        self.cancel(member, "server.attach")
        lab.engine.run()
        assert status_of(volume) == "available"
        assert listed(member, server) == hypervisor.look(str(server.pk)) == []
        require_consistent()

    def test_of_a_detach_before_the_guest_was_asked(
        self,
        lab: World,
        member: Account,
        server: Server,
        attached: Volume,
        hypervisor: MemoryHypervisor,
    ) -> None:
        detach(member, server, attached)
        self.cancel(member, "server.detach")
        lab.engine.run()
        assert status_of(attached) == "in-use"
        assert len(hypervisor.look(str(server.pk))) == 1
        require_consistent()

"""Attaching by actions on the volume, as clients did before there were attachments."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from drivers.export.memory import MemoryExport
from storage_project.operations import waiting
from tests.accounts import Account, open_account
from tests.factories import AttachmentFactory, VolumeFactory, VolumeTypeFactory
from tests.operations.consistency import require_consistent
from tests.operations.world import World
from volumes.models import Attachment, Pool, Volume

CONNECTOR = {"host": "somewhere", "initiator": "iqn.1994-05.org.example:1"}
ELSEWHERE = {"host": "elsewhere", "initiator": "iqn.1994-05.org.example:2"}
SERVER = uuid4()


def act(account: Account, volume: Volume, action: str, argument: Any = None, **how: str) -> Any:
    address = f"/v3/volumes/{volume.pk}/action"
    return account.client(**how).post(address, {f"os-{action}": argument})


def done(response: Any) -> Any:
    assert response.status_code in (200, 202), response.content
    return response.json() if response.content else None


def message(response: Any) -> str:
    [fault] = response.json().values()
    return str(fault["message"])


def status_of(volume: Volume) -> tuple[str, str]:
    volume.refresh_from_db()
    return volume.status, volume.attach_status


@pytest.fixture
def volume(member: Account, pool: Pool) -> Volume:
    return VolumeFactory(project_id=member.project.pk, pool=pool)


def attached(volume: Volume, **values: Any) -> Attachment:
    """One more attachment in use."""
    Volume.objects.filter(pk=volume.pk).update(status="in-use", attach_status="attached")
    times = {"attached_at": "2026-01-02T03:04:05Z"}
    return AttachmentFactory(
        project_id=volume.project_id, volume=volume, status="attached", **times | values
    )


class TestReserve:
    def test_keeps_the_volume_until_it_is_given_back(self, member: Account, volume: Volume) -> None:
        done(act(member, volume, "reserve"))
        assert status_of(volume) == ("attaching", "attaching")
        response = act(member, volume, "reserve")
        assert response.status_code == 400
        assert "attaching" in message(response)
        done(act(member, volume, "unreserve"))
        assert status_of(volume) == ("available", "detached")
        assert not Attachment.objects.exists()

    def test_giving_back_what_is_not_reserved_changes_nothing(
        self, member: Account, volume: Volume
    ) -> None:
        done(act(member, volume, "unreserve"))
        AttachmentFactory(volume=volume, status="attaching", connector=CONNECTOR)
        done(act(member, volume, "unreserve"))
        assert Attachment.objects.count() == 1

    def test_with_multiattach_while_it_is_in_use(self, member: Account, volume: Volume) -> None:
        Volume.objects.update(multiattach=True)
        attached(volume)
        done(act(member, volume, "reserve"))
        assert status_of(volume) == ("in-use", "attached")
        done(act(member, volume, "unreserve"))
        assert Attachment.objects.get().status == "attached"


class TestAttach:
    ARGUMENT = {"host_name": "somewhere", "mountpoint": "/dev/vdb", "mode": "rw"}

    def test_to_a_host(self, member: Account, volume: Volume) -> None:
        done(act(member, volume, "attach", self.ARGUMENT))
        assert status_of(volume) == ("in-use", "attached")
        body = member.client().get(f"/v3/volumes/{volume.pk}").json()["volume"]
        [shown] = body["attachments"]
        assert (shown["host_name"], shown["device"]) == ("somewhere", "/dev/vdb")
        assert shown["attached_at"]

    def test_to_a_server_that_has_reserved_it(self, member: Account, volume: Volume) -> None:
        done(act(member, volume, "reserve"))
        argument = {"instance_uuid": str(SERVER), "mountpoint": "/dev/vdb"}
        for _ in range(2):
            done(act(member, volume, "attach", argument))
        attachment = Attachment.objects.get()
        assert (attachment.status, attachment.server_id) == ("attached", SERVER)

    def test_not_what_another_host_is_attaching(self, member: Account, volume: Volume) -> None:
        Volume.objects.update(status="attaching", attach_status="attaching")
        AttachmentFactory(volume=volume, status="attaching", connector=ELSEWHERE)
        assert act(member, volume, "attach", self.ARGUMENT).status_code == 400

    def test_a_readonly_volume_for_reading_only(self, member: Account, volume: Volume) -> None:
        Volume.objects.update(readonly=True)
        response = act(member, volume, "attach", self.ARGUMENT)
        assert response.status_code == 400
        assert "read-only" in message(response)
        done(act(member, volume, "attach", self.ARGUMENT | {"mode": "ro"}))

    @pytest.mark.parametrize(
        "argument",
        [
            None,
            {},
            {"mountpoint": "/dev/vdb"},
            {"mountpoint": "/dev/vdb", "host_name": "a", "instance_uuid": str(SERVER)},
            {"mountpoint": "/dev/vdb", "instance_uuid": "7"},
            {"host_name": "a"},
            {"mountpoint": "/dev/vdb", "host_name": "a", "mode": "x"},
        ],
    )
    def test_refuses_what_makes_no_sense(
        self, member: Account, volume: Volume, argument: Any
    ) -> None:
        assert act(member, volume, "attach", argument).status_code == 400
        assert not Attachment.objects.exists()


class TestDetaching:
    def test_begins_and_may_be_taken_back(self, member: Account, volume: Volume) -> None:
        attached(volume)
        done(act(member, volume, "begin_detaching"))
        assert status_of(volume) == ("detaching", "detaching")
        response = act(member, volume, "begin_detaching")
        assert response.status_code == 400
        assert "detaching" in message(response)
        done(act(member, volume, "roll_detaching"))
        assert status_of(volume) == ("in-use", "attached")

    def test_only_what_is_in_use(self, member: Account, volume: Volume) -> None:
        response = act(member, volume, "begin_detaching")
        assert response.status_code == 400
        assert "available" in message(response)

    def test_of_one_of_several_leaves_the_volume_in_use(
        self, member: Account, volume: Volume
    ) -> None:
        one, other = attached(volume), attached(volume)
        done(act(member, volume, "begin_detaching"))
        assert status_of(volume) == ("in-use", "attached")
        done(act(member, volume, "detach", {"attachment_id": str(one.pk)}))
        assert status_of(volume) == ("in-use", "attached")
        assert Attachment.objects.get() == other

    @pytest.mark.parametrize("argument", [None, {}, {"attachment_id": None}])
    def test_ends(self, member: Account, volume: Volume, argument: Any) -> None:
        attached(volume)
        done(act(member, volume, "detach", argument))
        assert status_of(volume) == ("available", "detached")
        done(act(member, volume, "detach", argument))

    def test_of_several_one_must_be_named(self, member: Account, volume: Volume) -> None:
        for _ in range(2):
            attached(volume)
        response = act(member, volume, "detach", {})
        assert response.status_code == 400
        assert "2 attachments" in message(response)

    @pytest.mark.parametrize("action", ["detach", "terminate_connection"])
    def test_what_a_server_uses_is_not_for_plain_users(
        self, member: Account, admin: Account, volume: Volume, action: str
    ) -> None:
        """OSSA-2023-003."""
        attached(volume, server_id=SERVER, export="memory", connector=CONNECTOR)
        for argument in (None, {"connector": CONNECTOR}):
            if action == "detach" and argument:
                continue
            response = act(member, volume, action, argument)
            assert response.status_code == 409
            assert str(SERVER) in message(response)
        assert status_of(volume) == ("in-use", "attached")
        service = open_account("service")
        done(act(member, volume, action, HTTP_X_SERVICE_TOKEN=service.secret))
        done(act(admin, volume, action))


@pytest.mark.django_db(transaction=True)
class TestConnection:
    """The whole way, with an engine that works while a request waits."""

    @pytest.fixture(autouse=True)
    def _engine_at_work(self, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(waiting, "sleep", lambda _: world.engine.look())
        yield
        require_consistent()

    @pytest.fixture
    def volume(self, world: World, member: Account) -> Volume:
        return replace(world, caller=member.caller).volume()

    def connect(self, account: Account, volume: Volume, connector: Any = CONNECTOR) -> Any:
        answer = done(act(account, volume, "initialize_connection", {"connector": connector}))
        return answer["connection_info"]

    def test_from_the_reservation_to_the_end(self, member: Account, volume: Volume) -> None:
        done(act(member, volume, "reserve"))
        info = self.connect(member, volume)
        assert info["driver_volume_type"] == "memory"
        assert info["data"]["volume_id"] == str(volume.pk)
        attachment = Attachment.objects.get()
        assert info["data"]["auth_password"] == attachment.secret
        argument = {"host_name": "somewhere", "mountpoint": "/dev/vdb"}
        done(act(member, volume, "attach", argument))
        assert status_of(volume) == ("in-use", "attached")
        done(act(member, volume, "begin_detaching"))
        done(act(member, volume, "terminate_connection", {"connector": CONNECTOR}))
        attachment.refresh_from_db()
        assert (attachment.status, attachment.export) == ("detaching", "")
        assert attachment.connection_info is None
        done(act(member, volume, "detach", {"attachment_id": str(attachment.pk)}))
        assert status_of(volume) == ("available", "detached")

    def test_without_a_reservation_and_given_up(self, member: Account, volume: Volume) -> None:
        self.connect(member, volume)
        assert status_of(volume) == ("attaching", "attaching")
        for _ in range(2):
            done(act(member, volume, "terminate_connection", {"connector": CONNECTOR}))
            assert status_of(volume) == ("available", "detached")
        done(act(member, volume, "unreserve"))

    def test_asked_again_is_the_same(self, member: Account, volume: Volume) -> None:
        info = self.connect(member, volume)
        assert self.connect(member, volume) == info
        assert Attachment.objects.count() == 1
        response = act(member, volume, "initialize_connection", {"connector": ELSEWHERE})
        assert response.status_code == 400
        assert "attaching" in message(response)

    def test_of_what_was_called_attached_before(self, member: Account, volume: Volume) -> None:
        argument = {"host_name": "somewhere", "mountpoint": "/dev/vdb"}
        done(act(member, volume, "attach", argument))
        assert self.connect(member, volume)
        assert status_of(volume) == ("in-use", "attached")
        assert Attachment.objects.count() == 1

    def test_of_several_hosts(self, member: Account, volume: Volume) -> None:
        kind = VolumeTypeFactory(extra_specs={"multiattach": "<is> True"})
        Volume.objects.update(multiattach=kind.multiattach)
        infos = [self.connect(member, volume, each) for each in (CONNECTOR, ELSEWHERE)]
        assert infos[0]["data"]["export"] != infos[1]["data"]["export"]
        done(act(member, volume, "terminate_connection", {"connector": ELSEWHERE}))
        assert Attachment.objects.get().host_name == "somewhere"
        assert act(member, volume, "terminate_connection").status_code == 202

    def test_takes_no_idempotency_key(self, member: Account, volume: Volume) -> None:
        response = act(
            member,
            volume,
            "initialize_connection",
            {"connector": CONNECTOR},
            HTTP_IDEMPOTENCY_KEY="once",
        )
        assert response.status_code == 400
        assert "Idempotency-Key" in message(response)
        assert not Attachment.objects.exists()

    def test_that_takes_too_long(
        self, member: Account, volume: Volume, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(waiting, "PATIENCE_S", 0)
            response = act(member, volume, "initialize_connection", {"connector": CONNECTOR})
        assert response.status_code == 409
        assert "ask again" in message(response)
        assert self.connect(member, volume)
        assert Attachment.objects.count() == 1

    def test_taken_away_by_force(self, member: Account, admin: Account, volume: Volume) -> None:
        self.connect(member, volume)
        argument = {"instance_uuid": str(SERVER), "mountpoint": "/dev/vdb"}
        done(act(member, volume, "attach", argument))
        assert act(member, volume, "force_detach").status_code == 403
        done(act(admin, volume, "force_detach", {"attachment_id": None, "connector": CONNECTOR}))
        assert status_of(volume) == ("available", "detached")

    def test_not_by_force_where_that_cuts_nobody_off(
        self,
        member: Account,
        admin: Account,
        volume: Volume,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.connect(member, volume)
        argument = {"instance_uuid": str(SERVER), "mountpoint": "/dev/vdb"}
        done(act(member, volume, "attach", argument))
        with monkeypatch.context() as patched:
            patched.setattr(MemoryExport, "fences", False)
            response = act(admin, volume, "force_detach", {})
        assert response.status_code == 409
        assert "cut it off" in message(response)
        assert status_of(volume) == ("in-use", "attached")


class TestWho:
    ACTIONS = ("reserve", "unreserve", "begin_detaching", "roll_detaching", "detach")

    @pytest.mark.parametrize("action", ACTIONS)
    def test_members(self, reader: Account, volume: Volume, action: str) -> None:
        response = act(reader, volume, action)
        assert response.status_code == 403
        assert "volume:attach" in message(response)

    def test_force_is_for_admins(self, member: Account, volume: Volume) -> None:
        assert act(member, volume, "force_detach", {}).status_code == 403

    def test_by_force_an_attachment_that_is_not_there(self, admin: Account, volume: Volume) -> None:
        missing = {"attachment_id": str(UUID(int=0))}
        done(act(admin, volume, "force_detach", missing))

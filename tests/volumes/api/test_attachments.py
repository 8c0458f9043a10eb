"""Attachments over HTTP."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from drivers.errors import DriverError, Reason
from storage_project.operations import waiting
from storage_project.operations.models import Operation
from tests.accounts import Account, open_account
from tests.crash.accidents import failing
from tests.factories import AttachmentFactory, VolumeFactory, VolumeTypeFactory
from tests.operations.world import World
from volumes.models import Attachment, Pool, Volume

ADDRESS = "/v3/attachments"
CONNECTOR = {"host": "somewhere", "initiator": "iqn.1994-05.org.example:1", "ip": "10.0.0.7"}
# The same in every process that collects the tests.
SERVER = "8b0b9c7e-5d7c-4c0e-8d0a-2f5f1f0f6a11"
NOBODYS_ID = "5d1d6ae8-92b0-4b52-a5a6-6e0f3b3a9d10"


@pytest.fixture
def volume(member: Account, pool: Pool) -> Volume:
    return VolumeFactory(project_id=member.project.pk, pool=pool)


def attach(account: Account, volume: Volume, microversion: str = "3.71", **values: Any) -> Any:
    body = {"attachment": {"volume_uuid": str(volume.pk), **values}}
    return account.client(microversion).post(ADDRESS, body)


def made(response: Any) -> dict[str, Any]:
    assert response.status_code == 200, response.content
    attachment: dict[str, Any] = response.json()["attachment"]
    return attachment


def message(response: Any) -> str:
    [fault] = response.json().values()
    return str(fault["message"])


def status_of(volume: Volume) -> tuple[str, str]:
    volume.refresh_from_db()
    return volume.status, volume.attach_status


def row(account: Account, **values: Any) -> Attachment:
    """An attachment of a volume that is what this makes it."""
    attachment = AttachmentFactory(project_id=account.project.pk, **values)
    found = {"attached": "in-use"}.get(attachment.status, attachment.status)
    Volume.objects.filter(pk=attachment.volume_id).update(
        status=found, attach_status=attachment.status
    )
    return attachment


class TestReserve:
    def test_keeps_the_volume(self, member: Account, volume: Volume) -> None:
        shown = made(attach(member, volume, instance_uuid=SERVER))
        attachment = Attachment.objects.get()
        assert shown == {
            "id": str(attachment.pk),
            "status": "reserved",
            "instance": SERVER,
            "volume_id": str(volume.pk),
            "attach_mode": "rw",
            "attached_at": "",
            "detached_at": "",
            "connection_info": {},
            "operations": shown["operations"],
        }
        assert attachment.project_id == member.project.pk
        assert status_of(volume) == ("reserved", "reserved")
        assert not Operation.objects.exists()

    def test_is_refused_when_somebody_has_it(self, member: Account, volume: Volume) -> None:
        attach(member, volume)
        response = attach(member, volume)
        assert response.status_code == 400
        assert "reserved" in message(response)
        assert Attachment.objects.count() == 1

    @pytest.mark.parametrize("status", ["error", "creating", "in-use", "deleting", "extending"])
    def test_names_the_status_that_does_not_allow_it(
        self, member: Account, volume: Volume, status: str
    ) -> None:
        Volume.objects.update(status=status)
        response = attach(member, volume)
        assert response.status_code == 400
        assert status in message(response)

    def test_the_same_server_may_have_it_twice(self, member: Account, volume: Volume) -> None:
        made(attach(member, volume, instance_uuid=SERVER))
        made(attach(member, volume, instance_uuid=SERVER))
        assert attach(member, volume, instance_uuid=str(uuid4())).status_code == 400
        assert attach(member, volume).status_code == 400

    def test_with_multiattach_others_may_too(self, member: Account, volume: Volume) -> None:
        kind = VolumeTypeFactory(extra_specs={"multiattach": "<is> True"})
        Volume.objects.update(volume_type=kind, multiattach=kind.multiattach)
        for server in (SERVER, str(uuid4()), None):
            made(attach(member, volume, instance_uuid=server))
        assert Attachment.objects.count() == 3

    @pytest.mark.parametrize(("mode", "shown"), [("ro", "ro"), ("rw", "rw"), (None, "rw")])
    def test_in_a_mode(self, member: Account, volume: Volume, mode: Any, shown: str) -> None:
        assert made(attach(member, volume, mode=mode))["attach_mode"] == shown

    def test_a_readonly_volume_for_reading_only(self, member: Account, volume: Volume) -> None:
        Volume.objects.update(readonly=True)
        assert made(attach(member, volume, mode="rw"))["attach_mode"] == "ro"

    def test_the_mode_came_with_3_54(self, member: Account, volume: Volume) -> None:
        response = attach(member, volume, "3.53", mode="ro")
        assert response.status_code == 400
        assert "3.54" in message(response)
        made(attach(member, volume, "3.53", mode=None))

    def test_with_an_empty_connector(self, member: Account, volume: Volume) -> None:
        """As some clients say that they have none."""
        shown = made(attach(member, volume, connector={}))
        assert shown["status"] == "reserved"
        body: Any = {"attachment": {"connector": {}}}
        assert member.client().put(f"{ADDRESS}/{shown['id']}", body).status_code == 400

    def test_came_with_3_27(self, member: Account, volume: Volume) -> None:
        assert attach(member, volume, "3.26").status_code == 404
        made(attach(member, volume, "3.27"))

    @pytest.mark.parametrize(
        "values",
        [
            {"volume_uuid": "7"},
            {"instance_uuid": "7"},
            {"connector": "somewhere"},
            {"connector": {"ip": "10.0.0.7"}},
            {"connector": {"host": ""}},
            {"connector": {"host": ["somewhere"]}},
            {"connector": {"host": "somewhere", "mode": "x"}},
            {"connector": {"host": "somewhere", "ip": 7}},
            {"mode": "wo"},
        ],
    )
    def test_refuses_what_makes_no_sense(
        self, member: Account, volume: Volume, values: dict[str, Any]
    ) -> None:
        response = attach(member, volume, **values)
        assert response.status_code == 400
        [name] = values
        assert f"attachment.{name}" in message(response)
        assert not Attachment.objects.exists()

    def test_anothers_volume_is_not_there(self, volume: Volume) -> None:
        assert attach(open_account("member"), volume).status_code == 404

    def test_an_admins_is_the_projects(
        self, admin: Account, member: Account, volume: Volume
    ) -> None:
        shown = made(attach(admin, volume))
        assert member.client().get(f"{ADDRESS}/{shown['id']}").status_code == 200

    def test_is_not_for_readers(self, reader: Account, volume: Volume) -> None:
        response = attach(reader, volume)
        assert response.status_code == 403
        assert "attachment:create" in message(response)

    def test_a_volume_that_is_being_copied_at_rest(self, member: Account, volume: Volume) -> None:
        Pool.objects.update(capabilities={"snapshots_in_use": False})
        copy = VolumeFactory(status="creating", source_volume_id=volume.pk)
        response = attach(member, volume)
        assert response.status_code == 400
        assert "being copied" in message(response)
        copy.delete()
        made(attach(member, volume))


@pytest.fixture
def real(world: World, member: Account) -> Volume:
    """A volume of the member that a backend has."""
    return replace(world, caller=member.caller).volume()


class TestConnect:
    def test_answers_before_it_is_connected(self, member: Account, real: Volume) -> None:
        """Inside the transaction of this test nothing can begin, so nothing is waited for."""
        shown = made(attach(member, real, connector=CONNECTOR))
        assert (shown["status"], shown["connection_info"]) == ("attaching", {})
        assert status_of(real) == ("attaching", "attaching")

    def test_a_later_get_has_the_connection(
        self, member: Account, real: Volume, world: World
    ) -> None:
        shown = made(attach(member, real, connector=CONNECTOR))
        world.engine.run()
        address = f"{ADDRESS}/{shown['id']}"
        info = made(member.client().get(address))["connection_info"]
        assert info["driver_volume_type"] == "memory"
        assert (info["attachment_id"], info["volume_id"]) == (shown["id"], str(real.pk))
        assert info["auth_password"] == Attachment.objects.get().secret
        assert status_of(real) == ("attaching", "attaching")

    def test_by_a_put(self, member: Account, real: Volume, world: World) -> None:
        address = f"{ADDRESS}/{made(attach(member, real))['id']}"
        body = {"attachment": {"connector": CONNECTOR | {"mountpoint": "/dev/vdb", "mode": "ro"}}}
        assert made(member.client().put(address, body))["status"] == "attaching"
        world.engine.run()
        shown = made(member.client().get(address))
        assert shown["attach_mode"] == shown["connection_info"]["access_mode"] == "ro"
        attachment = Attachment.objects.get()
        assert (attachment.mountpoint, attachment.connector) == ("/dev/vdb", CONNECTOR)

    def test_again_is_the_same(self, member: Account, real: Volume, world: World) -> None:
        address = f"{ADDRESS}/{made(attach(member, real, connector=CONNECTOR))['id']}"
        body: Any = {"attachment": {"connector": CONNECTOR}}
        made(member.client().put(address, body))
        world.engine.run()
        info = made(member.client().put(address, body))["connection_info"]
        assert info
        world.engine.run()
        assert made(member.client().get(address))["connection_info"] == info
        assert Operation.objects.filter(kind="attachment.connect").count() == 1
        body = {"attachment": {"connector": {"host": "elsewhere"}}}
        response = member.client().put(address, body)
        assert response.status_code == 400
        assert "somewhere" in message(response)

    def test_readers_do_not_see_the_connection(
        self, member: Account, reader: Account, admin: Account, real: Volume, world: World
    ) -> None:
        shown = made(attach(member, real, connector=CONNECTOR))
        world.engine.run()
        for address in (f"{ADDRESS}/{shown['id']}", f"{ADDRESS}/detail"):
            assert b"auth_password" in member.client().get(address).content
            response = reader.client().get(address)
            assert response.status_code == 200
            assert b"auth_password" not in response.content
        assert b"auth_password" in admin.client().get(f"{ADDRESS}/{shown['id']}").content

    def test_an_idempotency_key_keeps_no_secret(
        self, member: Account, real: Volume, world: World
    ) -> None:
        client = member.client(HTTP_IDEMPOTENCY_KEY="once")
        body = {"attachment": {"volume_uuid": str(real.pk), "connector": CONNECTOR}}
        first = made(client.post(ADDRESS, body))
        world.engine.run()
        assert made(client.post(ADDRESS, body)) == first
        assert first["connection_info"] == {}


@pytest.mark.django_db(transaction=True)
class TestWaiting:
    """As it is in service, where the answer has the outcome."""

    @pytest.fixture(autouse=True)
    def _engine_at_work(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(waiting, "sleep", lambda _: world.engine.look())

    def test_for_the_connection(self, member: Account, real: Volume) -> None:
        shown = made(attach(member, real, connector=CONNECTOR))
        assert shown["status"] == "attaching"
        assert shown["connection_info"]["driver_volume_type"] == "memory"

    def test_for_the_connection_by_a_put(self, member: Account, real: Volume) -> None:
        address = f"{ADDRESS}/{made(attach(member, real))['id']}"
        shown = made(member.client().put(address, {"attachment": {"connector": CONNECTOR}}))
        assert shown["connection_info"]["driver_volume_type"] == "memory"

    def test_for_the_end(self, member: Account, real: Volume) -> None:
        shown = made(attach(member, real, connector=CONNECTOR))
        response = member.client().delete(f"{ADDRESS}/{shown['id']}")
        assert (response.status_code, response.json()) == (200, {"attachments": []})
        assert status_of(real) == ("available", "detached")

    def test_where_no_export_leads(
        self, member: Account, world: World, configure: Callable[[str], None]
    ) -> None:
        configure('[backends.three]\ndriver = "memory"\nexports = ["file", "nbd"]')
        Pool.objects.exclude(backend="three").delete()
        volume = replace(world, caller=member.caller).volume()
        response = attach(member, volume, connector=CONNECTOR)
        assert response.status_code == 400
        assert "file is for volumes that are files; nbd is for" in message(response)
        assert status_of(volume) == ("available", "detached")

    def test_what_failed_is_told_and_counts_for_nothing(
        self, member: Account, real: Volume
    ) -> None:
        broken = DriverError("The storage is on fire.", code=Reason.failed)
        with failing("attachment.connect", "provision", broken):
            response = attach(member, real, connector=CONNECTOR)
        assert response.status_code == 503
        assert "on fire" in message(response)
        attachment = Attachment.objects.get()
        assert (attachment.status, attachment.export) == ("error_attaching", "")
        assert status_of(real) == ("available", "detached")
        # It can be connected after all, or deleted.
        address = f"{ADDRESS}/{attachment.pk}"
        body = {"attachment": {"connector": CONNECTOR}}
        assert made(member.client().put(address, body))["connection_info"]
        assert member.client().delete(address).status_code == 200

    def test_a_failed_connection_can_be_deleted(self, member: Account, real: Volume) -> None:
        broken = DriverError("The storage is on fire.", code=Reason.failed)
        with failing("attachment.connect", "provision", broken):
            attach(member, real, connector=CONNECTOR)
        response = member.client().delete(f"{ADDRESS}/{Attachment.objects.get().pk}")
        assert (response.status_code, response.json()) == (200, {"attachments": []})

    def test_what_could_not_be_revoked_stays(self, member: Account, real: Volume) -> None:
        address = f"{ADDRESS}/{made(attach(member, real, connector=CONNECTOR))['id']}"
        broken = DriverError("The storage is on fire.", code=Reason.failed)
        with failing("attachment.delete", "provision", broken):
            response = member.client().delete(address)
        assert response.status_code == 503
        assert Attachment.objects.get().status == "error_detaching"
        assert status_of(real) == ("detaching", "detaching")
        assert member.client().delete(address).json() == {"attachments": []}
        assert status_of(real) == ("available", "detached")

    def test_not_longer_than_some_seconds(
        self, member: Account, real: Volume, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(waiting, "PATIENCE_S", 0)
        shown = made(attach(member, real, connector=CONNECTOR))
        assert (shown["status"], shown["connection_info"]) == ("attaching", {})
        response = member.client().delete(f"{ADDRESS}/{shown['id']}")
        [left] = response.json()["attachments"]
        assert (left["id"], left["status"]) == (shown["id"], "detaching")


class TestComplete:
    def complete(self, account: Account, attachment: Attachment, version: str = "3.71") -> Any:
        address = f"{ADDRESS}/{attachment.pk}/action"
        return account.client(version).post(address, {"os-complete": str(attachment.pk)})

    def test_makes_the_volume_used(self, member: Account) -> None:
        attachment = row(member, status="attaching", mountpoint="/dev/vdb", server_id=SERVER)
        assert self.complete(member, attachment).status_code == 204
        assert status_of(attachment.volume) == ("in-use", "attached")
        shown = made(member.client().get(f"{ADDRESS}/{attachment.pk}"))
        assert shown["status"] == "attached"
        assert shown["attached_at"]
        assert self.complete(member, attachment).status_code == 204

    @pytest.mark.parametrize("status", ["reserved", "detaching", "error_attaching"])
    def test_names_the_status_that_does_not_allow_it(self, member: Account, status: str) -> None:
        attachment = row(member, status=status)
        response = self.complete(member, attachment)
        assert response.status_code == 400
        assert status in message(response)

    def test_not_before_it_is_connected(self, member: Account, real: Volume) -> None:
        made(attach(member, real, connector=CONNECTOR))
        response = self.complete(member, Attachment.objects.get())
        assert response.status_code == 400
        assert "still being worked on, by attachment.connect" in message(response)

    def test_came_with_3_44(self, member: Account) -> None:
        attachment = row(member, status="attaching")
        assert self.complete(member, attachment, "3.43").status_code == 404
        assert self.complete(member, attachment, "3.44").status_code == 204


class TestDelete:
    def delete(self, account: Account, attachment: Attachment, **headers: str) -> Any:
        return account.client(**headers).delete(f"{ADDRESS}/{attachment.pk}")

    def test_frees_the_volume(self, member: Account) -> None:
        attachment = row(member, status="reserved")
        response = self.delete(member, attachment)
        assert (response.status_code, response.json()) == (200, {"attachments": []})
        assert status_of(attachment.volume) == ("available", "detached")
        assert self.delete(member, attachment).status_code == 404

    def test_answers_what_is_left(self, member: Account) -> None:
        attachment = row(member, status="attached")
        other = AttachmentFactory(volume=attachment.volume, project_id=member.project.pk)
        response = self.delete(member, attachment)
        [left] = response.json()["attachments"]
        assert (left["id"], left["status"]) == (str(other.pk), "reserved")
        assert "connection_info" not in left
        assert status_of(attachment.volume) == ("reserved", "reserved")

    @pytest.mark.parametrize("status", ["attaching", "attached", "detaching"])
    def test_what_a_server_uses_is_not_for_plain_users(
        self, member: Account, admin: Account, status: str
    ) -> None:
        """OSSA-2023-003."""
        attachment = row(member, status=status, server_id=SERVER)
        response = self.delete(member, attachment)
        assert response.status_code == 409
        assert SERVER in message(response)
        assert Attachment.objects.get().status == status
        assert self.delete(admin, attachment).status_code == 200

    @pytest.mark.parametrize("status", ["reserved", "error_attaching", "error_detaching"])
    def test_what_a_server_does_not_use_is(self, member: Account, status: str) -> None:
        attachment = row(member, status=status, server_id=SERVER)
        assert self.delete(member, attachment).status_code == 200

    def test_a_service_may(self, member: Account) -> None:
        service = open_account("member", "service", project=member.project)
        attachment = row(member, status="attached", server_id=SERVER)
        assert self.delete(service, attachment).status_code == 200

    def test_a_user_for_whom_a_service_asks_may(self, member: Account) -> None:
        service = open_account("service")
        attachment = row(member, status="attached", server_id=SERVER)
        response = self.delete(member, attachment, HTTP_X_SERVICE_TOKEN=service.secret)
        assert response.status_code == 200

    def test_a_service_token_must_be_a_services(self, member: Account) -> None:
        attachment = row(member, status="attached", server_id=SERVER)
        other = open_account("member")
        response = self.delete(member, attachment, HTTP_X_SERVICE_TOKEN=other.secret)
        assert response.status_code == 409
        response = self.delete(member, attachment, HTTP_X_SERVICE_TOKEN="nonsense")
        assert response.status_code == 401

    def test_a_service_token_alone_gives_no_rights(self, reader: Account, member: Account) -> None:
        attachment = row(member, status="attached", server_id=SERVER)
        service = open_account("service")
        response = self.delete(reader, attachment, HTTP_X_SERVICE_TOKEN=service.secret)
        assert response.status_code == 403

    def test_while_it_is_being_connected(self, member: Account, real: Volume, world: World) -> None:
        shown = made(attach(member, real, connector=CONNECTOR))
        attachment = Attachment.objects.get(pk=shown["id"])
        [left] = self.delete(member, attachment).json()["attachments"]
        assert left["status"] == "detaching"
        assert self.delete(member, attachment).status_code == 200
        world.engine.run()
        assert not Attachment.objects.exists()
        assert status_of(real) == ("available", "detached")
        assert Operation.objects.filter(kind="attachment.delete").count() == 1


class TestShow:
    def test_a_volume_shows_who_uses_it(self, member: Account, admin: Account) -> None:
        attachment = row(
            member,
            status="attached",
            server_id=SERVER,
            mountpoint="/dev/vdb",
            connector=CONNECTOR,
        )
        address = f"/v3/volumes/{attachment.volume_id}"
        [shown] = member.client().get(address).json()["volume"]["attachments"]
        assert shown == {
            "id": str(attachment.volume_id),
            "attachment_id": str(attachment.pk),
            "volume_id": str(attachment.volume_id),
            "server_id": SERVER,
            "host_name": None,
            "device": "/dev/vdb",
            "attached_at": None,
        }
        [shown] = admin.client().get(address).json()["volume"]["attachments"]
        assert shown["host_name"] == "somewhere"

    def test_a_host_of_ones_own_is_shown(self, member: Account) -> None:
        attachment = row(member, status="attached", connector=CONNECTOR)
        address = f"/v3/volumes/{attachment.volume_id}"
        [shown] = member.client().get(address).json()["volume"]["attachments"]
        assert (shown["host_name"], shown["server_id"]) == ("somewhere", None)

    @pytest.mark.parametrize("status", ["reserved", "attaching", "detaching", "error_attaching"])
    def test_only_what_is_attached_is_shown(self, member: Account, status: str) -> None:
        attachment = row(member, status=status)
        volume = member.client().get(f"/v3/volumes/{attachment.volume_id}").json()["volume"]
        assert volume["attachments"] == []

    def test_came_with_3_27(self, member: Account) -> None:
        address = f"{ADDRESS}/{row(member).pk}"
        for method in ("get", "put", "delete"):
            assert getattr(member.client("3.26"), method)(address).status_code == 404
        assert member.client("3.26").get(ADDRESS).status_code == 404


class TestList:
    @pytest.fixture
    def attachments(self, member: Account) -> list[Attachment]:
        rows = [row(member) for _ in range(3)] + [row(member, status="attached", server_id=SERVER)]
        AttachmentFactory()  # another project's
        return rows

    def ids(self, response: Any) -> list[str]:
        assert response.status_code == 200, response.content
        return [attachment["id"] for attachment in response.json()["attachments"]]

    def test_the_projects_newest_first(
        self, member: Account, attachments: list[Attachment]
    ) -> None:
        newest = [str(each.pk) for each in reversed(attachments)]
        client = member.client()
        assert self.ids(client.get(ADDRESS)) == self.ids(client.get(f"{ADDRESS}/detail")) == newest
        first = client.get(ADDRESS).json()["attachments"][0]
        assert first.keys() == {"id", "status", "instance", "volume_id", "operations"}
        assert "connection_info" in client.get(f"{ADDRESS}/detail").json()["attachments"][0]

    def test_in_pages(self, member: Account, attachments: list[Attachment]) -> None:
        page = member.client().get(f"{ADDRESS}?limit=3")
        assert len(self.ids(page)) == 3
        [link] = page.json()["attachments_links"]
        assert self.ids(member.client().get(link["href"])) == [str(attachments[0].pk)]

    @pytest.mark.parametrize(
        ("query", "number"),
        [
            ("status=reserved", 3),
            ("attach_status=attached", 1),
            (f"instance_id={SERVER}", 1),
            (f"instance_uuid={NOBODYS_ID}", 0),
            ("volume_id=nonsense", 0),
        ],
    )
    def test_filtered(
        self, member: Account, attachments: list[Attachment], query: str, number: int
    ) -> None:
        assert len(self.ids(member.client().get(f"{ADDRESS}?{query}"))) == number

    def test_of_one_volume(self, member: Account, attachments: list[Attachment]) -> None:
        query = f"?volume_id={attachments[0].volume_id}"
        assert self.ids(member.client().get(ADDRESS + query)) == [str(attachments[0].pk)]

    def test_of_all_projects_for_an_admin(
        self, admin: Account, member: Account, attachments: list[Attachment]
    ) -> None:
        assert self.ids(admin.client().get(ADDRESS)) == []
        assert len(self.ids(admin.client().get(f"{ADDRESS}?all_tenants=1"))) == 5
        assert len(self.ids(member.client().get(f"{ADDRESS}?all_tenants=1"))) == 4

    def test_the_number_of_queries_is_constant(
        self, member: Account, attachments: list[Attachment], django_assert_num_queries: Any
    ) -> None:
        """One for the token, one for the rows with all that is in them."""
        for limit in (1, 4):
            for address in (ADDRESS, f"{ADDRESS}/detail"):
                with django_assert_num_queries(2):
                    member.client().get(f"{address}?limit={limit}")

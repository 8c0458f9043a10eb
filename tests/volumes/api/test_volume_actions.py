"""Actions on volumes over HTTP."""

from typing import Any

import pytest

from storage_project.operations.models import Operation, Transition
from tests.accounts import Account
from tests.factories import VolumeFactory
from volumes.models import Pool, QuotaUsage, Volume
from volumes.services.quotas import set_limits


@pytest.fixture
def volume(member: Account, pool: Pool) -> Volume:
    return VolumeFactory(project_id=member.project.pk, pool=pool, size_gib=2)


def act(account: Account, volume: Volume, **action: Any) -> Any:
    [(name, argument)] = action.items()
    body = {f"os-{name}": argument}
    return account.client().post(f"/v3/volumes/{volume.pk}/action", body)


def message(response: Any) -> str:
    [fault] = response.json().values()
    return str(fault["message"])


class TestExtend:
    @pytest.mark.parametrize("size", [3, "3"])
    def test_opens_an_operation(self, member: Account, volume: Volume, size: Any) -> None:
        assert act(member, volume, extend={"new_size": size}).status_code == 202
        volume.refresh_from_db()
        assert (volume.status, volume.size_gib) == ("extending", 2)
        operation = Operation.objects.get()
        assert (operation.kind, operation.arguments) == ("volume.extend", {"new_size_gib": 3})
        usage = QuotaUsage.objects.get(resource="gigabytes")
        assert (usage.in_use, usage.reserved) == (0, 1)

    @pytest.mark.parametrize(
        "argument", [{"new_size": 2}, {"new_size": 1}, {"new_size": "x"}, {}, None, 3]
    )
    def test_refuses_what_is_no_growth(
        self, member: Account, volume: Volume, argument: Any
    ) -> None:
        response = act(member, volume, extend=argument)
        assert response.status_code == 400
        assert not Operation.objects.exists()

    def test_names_the_status_that_does_not_allow_it(self, member: Account, volume: Volume) -> None:
        Volume.objects.update(status="error")
        response = act(member, volume, extend={"new_size": 3})
        assert response.status_code == 400
        assert "error" in message(response)

    def test_one_after_the_other(self, member: Account, volume: Volume) -> None:
        act(member, volume, extend={"new_size": 3})
        response = act(member, volume, extend={"new_size": 4})
        assert response.status_code == 400
        assert "extending" in message(response)
        assert Operation.objects.count() == 1

    def test_refuses_beyond_the_quota(self, member: Account, volume: Volume) -> None:
        set_limits(project_id=member.project.pk, limits={"gigabytes": 5})
        response = act(member, volume, extend={"new_size": 8})
        assert response.status_code == 413
        assert "overLimit" in response.json()


class TestResetStatus:
    def test_sets_what_is_given_and_leaves_a_trace(self, admin: Account, volume: Volume) -> None:
        body = {"status": "ERROR", "attach_status": None}
        assert act(admin, volume, reset_status=body).status_code == 202
        volume.refresh_from_db()
        assert (volume.status, volume.attach_status) == ("error", "detached")
        assert admin.user.name in Transition.objects.get().note

    def test_migration_status_none(self, admin: Account, volume: Volume) -> None:
        Volume.objects.update(migration_status="error")
        assert act(admin, volume, reset_status={"migration_status": "none"}).status_code == 202
        volume.refresh_from_db()
        assert volume.migration_status is None

    @pytest.mark.parametrize(
        "argument", [{}, {"status": None}, {"status": "happy"}, {"attach_status": "glued"}, "error"]
    )
    def test_refuses_what_is_no_status(self, admin: Account, volume: Volume, argument: Any) -> None:
        assert act(admin, volume, reset_status=argument).status_code == 400

    def test_is_for_admins(self, member: Account, volume: Volume) -> None:
        assert act(member, volume, reset_status={"status": "error"}).status_code == 403


class TestForceDelete:
    @pytest.mark.parametrize("argument", [None, {}, ""])
    def test_in_any_state(self, admin: Account, volume: Volume, argument: Any) -> None:
        Volume.objects.update(status="error_extending")
        assert act(admin, volume, force_delete=argument).status_code == 202
        volume.refresh_from_db()
        assert volume.status == "deleting"
        assert act(admin, volume, force_delete=argument).status_code == 202
        assert Operation.objects.count() == 1

    def test_is_for_admins(self, member: Account, volume: Volume) -> None:
        assert act(member, volume, force_delete=None).status_code == 403


class TestFlags:
    @pytest.mark.parametrize(("value", "shown"), [(True, "true"), ("False", "false"), (1, "true")])
    def test_bootable(self, member: Account, volume: Volume, value: Any, shown: str) -> None:
        assert act(member, volume, set_bootable={"bootable": value}).status_code == 200
        body = member.client().get(f"/v3/volumes/{volume.pk}").json()["volume"]
        assert body["bootable"] == shown

    def test_readonly_shows_in_the_metadata(self, member: Account, volume: Volume) -> None:
        response = act(member, volume, update_readonly_flag={"readonly": "true"})
        assert response.status_code == 202
        body = member.client().get(f"/v3/volumes/{volume.pk}").json()["volume"]
        assert body["metadata"] == {"readonly": "True"}
        act(member, volume, update_readonly_flag={"readonly": False})
        body = member.client().get(f"/v3/volumes/{volume.pk}").json()["volume"]
        assert body["metadata"] == {}

    def test_readonly_of_an_available_volume_only(self, member: Account, volume: Volume) -> None:
        Volume.objects.update(status="in-use")
        response = act(member, volume, update_readonly_flag={"readonly": True})
        assert response.status_code == 400
        assert "in-use" in message(response)

    @pytest.mark.parametrize("argument", [{}, {"bootable": "maybe"}, {"bootable": None}, None])
    def test_refuses_what_is_no_boolean(
        self, member: Account, volume: Volume, argument: Any
    ) -> None:
        assert act(member, volume, set_bootable=argument).status_code == 400

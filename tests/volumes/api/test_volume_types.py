"""Volume types and their extra specs over HTTP."""

from typing import Any

import pytest

from tests.accounts import Account
from tests.factories import VolumeFactory, VolumeTypeFactory
from volumes.models import VolumeType

# The same in every process that collects the tests.
NOBODYS_ID = "5d1d6ae8-92b0-4b52-a5a6-6e0f3b3a9d10"

SPECS = {"volume_backend_name": "fast", "multiattach": "<is> True"}


@pytest.fixture
def fast(db: None) -> VolumeType:
    return VolumeTypeFactory(name="fast", extra_specs=SPECS)


@pytest.fixture
def secret(db: None) -> VolumeType:
    return VolumeTypeFactory(name="secret", is_public=False)


def names(response: Any) -> set[str]:
    assert response.status_code == 200, response.content
    return {volume_type["name"] for volume_type in response.json()["volume_types"]}


class TestTypes:
    def test_create(self, admin: Account) -> None:
        body = {
            "name": "gold",
            "description": "shiny",
            "os-volume-type-access:is_public": False,
            "extra_specs": {"a": "b"},
        }
        response = admin.client().post("/v3/types", {"volume_type": body})
        assert response.status_code == 200
        shown = response.json()["volume_type"]
        assert shown | body == shown
        assert shown["is_public"] is False
        assert shown["qos_specs_id"] is None
        assert admin.client().get(f"/v3/types/{shown['id']}").json()["volume_type"] == shown

    def test_a_name_is_taken_once(self, admin: Account, fast: VolumeType) -> None:
        response = admin.client().post("/v3/types", {"volume_type": {"name": "fast"}})
        assert response.status_code == 409
        assert "fast" in response.json()["conflictingRequest"]["message"]

    @pytest.mark.parametrize(
        "body",
        [{}, {"name": ""}, {"name": "  "}, {"name": None}, {"name": "x", "extra_specs": {"a": 1}}],
    )
    def test_refuses_what_is_no_type(self, admin: Account, body: Any) -> None:
        assert admin.client().post("/v3/types", {"volume_type": body}).status_code == 400

    def test_list(
        self, member: Account, admin: Account, fast: VolumeType, secret: VolumeType
    ) -> None:
        public = {VolumeType.DEFAULT_NAME, "fast"}
        assert names(member.client().get("/v3/types")) == public
        assert names(member.client().get("/v3/types?is_public=None")) == public
        assert names(admin.client().get("/v3/types")) == public
        assert names(admin.client().get("/v3/types?is_public=None")) == public | {"secret"}
        assert names(admin.client().get("/v3/types?is_public=false")) == {"secret"}
        assert admin.client().get("/v3/types?is_public=perhaps").status_code == 400

    def test_pages(self, member: Account, fast: VolumeType) -> None:
        page = member.client().get("/v3/types?limit=1&sort=name:asc").json()
        assert [each["name"] for each in page["volume_types"]] == [VolumeType.DEFAULT_NAME]
        [link] = page["volume_type_links"]
        assert names(member.client().get(link["href"])) == {"fast"}

    def test_filters(self, admin: Account, fast: VolumeType, secret: VolumeType) -> None:
        assert names(admin.client().get("/v3/types?name=fast")) == {"fast"}
        query = "extra_specs={'volume_backend_name': 'fast'}"
        assert names(admin.client().get(f"/v3/types?{query}")) == {"fast"}

    def test_users_see_only_what_concerns_them(
        self, member: Account, admin: Account, fast: VolumeType
    ) -> None:
        address = f"/v3/types/{fast.pk}"
        shown = member.client().get(address).json()["volume_type"]
        assert shown["extra_specs"] == {"multiattach": "<is> True"}
        assert "qos_specs_id" not in shown
        assert admin.client().get(address).json()["volume_type"]["extra_specs"] == SPECS

    def test_a_private_type_is_not_there(self, member: Account, secret: VolumeType) -> None:
        assert member.client().get(f"/v3/types/{secret.pk}").status_code == 404

    @pytest.mark.parametrize("name", ["fast", "7", NOBODYS_ID])
    def test_is_found_by_id_alone(self, admin: Account, fast: VolumeType, name: str) -> None:
        assert admin.client().get(f"/v3/types/{name}").status_code == 404

    def test_default(self, member: Account) -> None:
        shown = member.client().get("/v3/types/default").json()["volume_type"]
        assert shown["name"] == VolumeType.DEFAULT_NAME

    def test_update(self, admin: Account, fast: VolumeType) -> None:
        address = f"/v3/types/{fast.pk}"
        body = {"name": None, "description": "quick", "is_public": False}
        shown = admin.client().put(address, {"volume_type": body}).json()["volume_type"]
        assert (shown["name"], shown["description"], shown["is_public"]) == ("fast", "quick", False)
        # The name that openstacksdk has for it, as when a type is made.
        body = {"os-volume-type-access:is_public": True}
        assert admin.client().put(address, {"volume_type": body}).json()["volume_type"]["is_public"]
        assert admin.client().put(address, {"volume_type": {}}).status_code == 400
        taken = {"volume_type": {"name": VolumeType.DEFAULT_NAME}}
        assert admin.client().put(address, taken).status_code == 409

    def test_delete(self, admin: Account, fast: VolumeType) -> None:
        volume = VolumeFactory(volume_type=fast)
        response = admin.client().delete(f"/v3/types/{fast.pk}")
        assert response.status_code == 400
        assert "in use" in response.json()["badRequest"]["message"]
        volume.delete()
        assert admin.client().delete(f"/v3/types/{fast.pk}").status_code == 202
        assert admin.client().get(f"/v3/types/{fast.pk}").status_code == 404

    def test_writes_are_for_admins(self, member: Account, fast: VolumeType) -> None:
        client = member.client()
        address = f"/v3/types/{fast.pk}"
        assert client.post("/v3/types", {"volume_type": {"name": "mine"}}).status_code == 403
        assert client.put(address, {"volume_type": {"name": "mine"}}).status_code == 403
        assert client.delete(address).status_code == 403


class TestExtraSpecs:
    @pytest.fixture
    def address(self, fast: VolumeType) -> str:
        return f"/v3/types/{fast.pk}/extra_specs"

    def test_show(self, admin: Account, member: Account, address: str) -> None:
        assert admin.client().get(address).json() == {"extra_specs": SPECS}
        assert member.client().get(address).json() == {"extra_specs": {"multiattach": "<is> True"}}
        hidden = f"{address}/volume_backend_name"
        assert admin.client().get(hidden).json() == {"volume_backend_name": "fast"}
        assert member.client().get(hidden).status_code == 404

    def test_post_adds(self, admin: Account, address: str) -> None:
        body = {"extra_specs": {"capabilities:ssd": "<is> True"}}
        response = admin.client().post(address, body)
        assert (response.status_code, response.json()) == (200, body)
        assert admin.client().get(address).json() == {"extra_specs": SPECS | body["extra_specs"]}

    def test_one_key(self, admin: Account, address: str) -> None:
        body = {"multiattach": "<is> False"}
        assert admin.client().put(f"{address}/multiattach", body).json() == body
        assert admin.client().put(f"{address}/other", body).status_code == 400
        assert admin.client().delete(f"{address}/multiattach").status_code == 202
        assert admin.client().delete(f"{address}/multiattach").status_code == 404

    @pytest.mark.parametrize("body", [{}, {"extra_specs": {"a": 1}}, {"extra_specs": None}])
    def test_refuses_what_are_no_extra_specs(self, admin: Account, address: str, body: Any) -> None:
        assert admin.client().post(address, body).status_code == 400

    def test_writes_are_for_admins(self, member: Account, address: str) -> None:
        client = member.client()
        assert client.post(address, {"extra_specs": {"a": "b"}}).status_code == 403
        assert client.put(f"{address}/a", {"a": "b"}).status_code == 403
        assert client.delete(f"{address}/multiattach").status_code == 403

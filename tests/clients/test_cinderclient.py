"""python-cinderclient as a library, at the first and at the last microversion."""

from typing import Any

import pytest
from cinderclient import exceptions
from cinderclient.client import Client, get_server_version, get_volume_api_from_url

from tests.clients.account import Account


@pytest.fixture(params=["3.0", "3.71"])
def microversion(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_life_of_a_volume(member: Account, microversion: str) -> None:
    cinder = member.cinderclient(microversion)
    made = cinder.volumes.create(1, name="one", description=None, metadata={"a": "b"})
    assert (made.status, made.metadata, made.bootable) == ("creating", {"a": "b"}, "false")
    member.wait_for("one")
    cinder.volumes.set_metadata(made, {"c": "d"})
    cinder.volumes.delete_metadata(made, ["a"])
    cinder.volumes.extend(made, 2)
    member.wait_for_size("one", 2)
    cinder.volumes.update(made, name="uno")
    shown = cinder.volumes.find(name="uno")
    assert (shown.id, shown.size, shown.metadata) == (made.id, 2, {"c": "d"})
    assert cinder.volumes.list(search_opts={"name": "uno", "status": "available"}) == [shown]
    cinder.volumes.set_bootable(made, True)
    assert cinder.volumes.get(made.id).bootable == "true"
    cinder.volumes.update_all_metadata(made, {})
    assert cinder.volumes.get(made.id).metadata == {}
    cinder.volumes.delete(made)
    member.wait_until_gone(made.id)
    with pytest.raises(exceptions.NotFound):
        cinder.volumes.get(made.id)


def test_what_grew_with_the_microversions(member: Account) -> None:
    volume = member.create("grown")
    first, last = (member.cinderclient(each).volumes.get(volume.id) for each in ("3.0", "3.71"))
    added = {"group_id", "shared_targets", "service_uuid", "volume_type_id", "consumes_quota"}
    assert added <= vars(last).keys()
    assert added.isdisjoint(vars(first))
    with pytest.raises(exceptions.VersionNotFoundForAPIMethod):
        member.cinderclient("3.0").messages.list()
    assert member.cinderclient("3.71").messages.list() == []
    with pytest.raises(exceptions.NotAcceptable, match=r"Minimum is 3\.0 and maximum is 3\.71"):
        member.cinderclient("3.99").volumes.list()


def test_pages(member: Account) -> None:
    names = [f"v{number:02}" for number in range(9)]
    block_storage = member.connection.block_storage
    for name in names:
        block_storage.create_volume(name=name, size=1)
    volumes = member.cinderclient().volumes
    first = volumes.list(limit=4, sort="name:asc")
    rest = volumes.list(limit=40, sort="name:asc", marker=first[-1].id)
    assert [volume.name for volume in (*first, *rest)] == names
    assert [volume.name for volume in volumes.list(sort="created_at:asc")] == names
    assert len(volumes.list(detailed=False)) == 9


def test_metadata_is_guarded_by_etags(member: Account) -> None:
    volume = member.create("guarded")
    address = f"/v3/volumes/{volume.id}/metadata"
    seen = member.http("GET", address).headers["ETag"]
    body = {"metadata": {"a": "1"}}
    assert member.http("PUT", address, body, **{"If-Match": seen}).status_code == 200
    assert member.http("PUT", address, body, **{"If-Match": seen}).status_code == 412
    assert "ETag" not in member.http("GET", address, microversion="3.14").headers


def test_administration(admin: Account, microversion: str) -> None:
    cinder = admin.cinderclient(microversion)
    made = cinder.volume_types.create("kind", is_public=False)
    made.set_keys({"volume_backend_name": "fast"})
    assert made.get_keys() == {"volume_backend_name": "fast"}
    made.unset_keys(["volume_backend_name"])
    assert made in cinder.volume_types.list()
    assert made not in cinder.volume_types.list(is_public=True)
    cinder.volume_types.delete(made)

    assert {service.state for service in cinder.services.list()} == {"up"}
    [pool, _] = cinder.pools.list(detailed=True)
    assert (pool.name, pool.volume_backend_name) == ("box@fast#fast", "fast")
    assert cinder.availability_zones.list(detailed=False)[0].zoneState == {"available": True}
    usage = cinder.quotas.get(admin.project_id, usage=True).volumes
    assert usage.keys() == {"limit", "in_use", "reserved", "allocated"}
    assert "maxTotalVolumes" in {limit.name for limit in cinder.limits.get().absolute}


def test_errors(demo: Account) -> None:
    cinder = demo.cinderclient()
    with pytest.raises(exceptions.NotFound, match="Volume not-a-uuid could not be found"):
        cinder.volumes.get("not-a-uuid")
    with pytest.raises(exceptions.BadRequest, match=r"volume\.size"):
        cinder.volumes.create("large")
    with pytest.raises(exceptions.Forbidden, match="service:list") as error:
        cinder.services.list()
    assert error.value.request_id.startswith("req-")


def test_versions(demo: Account) -> None:
    lowest, highest = get_server_version(demo.url)
    assert (lowest.get_string(), highest.get_string()) == ("3.0", "3.71")
    endpoint = demo.session.get_endpoint(service_type="volumev3")
    assert get_volume_api_from_url(endpoint) == "3"


def test_signs_in_by_itself(demo: Account) -> None:
    """Without a session: by address and password, as old scripts do."""
    cinder: Any = Client(
        "3",
        demo.auth["username"],
        demo.auth["password"],
        demo.auth["project_name"],
        demo.auth["auth_url"],
        user_domain_id="default",
        project_domain_id="default",
    )
    assert isinstance(cinder.volumes.list(), list)

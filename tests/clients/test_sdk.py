"""openstacksdk, at the first and at the last microversion, and when it is told none."""

import pytest
from openstack import exceptions
from openstack.connection import Connection

from tests.clients.account import Account


@pytest.fixture(params=["3.0", "3.71", "3"])
def volume_api_version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def connection(member: Account, volume_api_version: str) -> Connection:
    return member.connect(volume_api_version=volume_api_version)


def test_life_of_a_volume(connection: Connection) -> None:
    volumes = connection.block_storage
    made = volumes.create_volume(name="one", size=1, metadata={"a": "b"}, description="first")
    assert (made.status, made.metadata, made.is_bootable) == ("creating", {"a": "b"}, False)
    volumes.wait_for_status(made, interval=0.1, wait=60)
    volumes.set_volume_metadata(made, c="d")
    volumes.delete_volume_metadata(made.id, keys=["a"])
    volumes.extend_volume(made, 2)
    volumes.wait_for_status(volumes.get_volume(made.id), interval=0.1, wait=60)
    volumes.set_volume_bootable_status(made, True)
    volumes.set_volume_readonly(made, True)
    volumes.update_volume(made, name="uno")
    shown = volumes.find_volume("uno", ignore_missing=False)
    assert (shown.id, shown.size, shown.is_bootable) == (made.id, 2, True)
    assert shown.metadata == {"c": "d", "readonly": "True"}
    assert (shown.project_id, shown.volume_type) == (connection.current_project_id, "__DEFAULT__")
    volumes.delete_volume(shown, ignore_missing=False)
    volumes.wait_for_delete(shown, interval=0.1, wait=60)
    assert volumes.find_volume("uno") is None
    with pytest.raises(exceptions.NotFoundException, match="could not be found"):
        volumes.get_volume(made.id)


def test_the_short_way(member: Account) -> None:
    """What Ansible's modules and many scripts use."""
    cloud = member.connection
    volume = cloud.create_volume(1, name="short", timeout=60)
    assert cloud.get_volume("short").status == "available"
    assert [found.id for found in cloud.search_volumes("short")] == [volume.id]
    assert cloud.volume_exists("short")
    assert cloud.delete_volume("short", timeout=60) is True
    assert not cloud.volume_exists("short")


def test_turns_pages(admin: Account, member: Account) -> None:
    admin.connection.block_storage.update_quota_set(member.project_id, volumes=50, gigabytes=50)
    volumes = member.connection.block_storage
    names = [f"v{number:02}" for number in range(23)]
    for name in names:
        volumes.create_volume(name=name, size=1)
    assert [volume.name for volume in volumes.volumes(limit=5)] == names[::-1]
    assert [volume.name for volume in volumes.volumes(details=False, limit=10)] == names[::-1]
    first = list(volumes.volumes(limit=5, paginated=False))
    assert [volume.name for volume in first] == names[:-6:-1]
    rest = volumes.volumes(marker=first[-1].id, limit=5)
    assert [volume.name for volume in rest] == names[-6::-1]
    summary = volumes.summary(all_projects=False)
    assert (summary.total_count, summary.total_size) == (23, 23)


def test_finds_and_filters(member: Account) -> None:
    volumes = member.connection.block_storage
    wanted, other = member.create("wanted"), member.create("other", metadata={"a": "b"})
    assert volumes.find_volume("wanted").id == volumes.find_volume(wanted.id).id == wanted.id
    assert volumes.find_volume("nothing") is None
    assert [found.id for found in volumes.volumes(name="wanted")] == [wanted.id]
    assert [found.id for found in volumes.volumes(properties="{'a': 'b'}")] == [other.id]
    assert len(list(volumes.volumes(status="available"))) == 2
    assert list(volumes.volumes(status="error")) == []
    volumes.update_volume(other, name="wanted")
    with pytest.raises(exceptions.DuplicateResource):
        volumes.find_volume("wanted")


@pytest.mark.parametrize("name", ["khối 💾", "a/b", "50%", "1"])
def test_finds_what_has_a_strange_name(member: Account, name: str) -> None:
    """The client tries it as an id first."""
    volumes = member.connection.block_storage
    made = member.create(name, metadata={name: name, "plain": "1"})
    assert volumes.find_volume(name, ignore_missing=False).id == made.id
    volumes.delete_volume_metadata(made.id, keys=[name])
    assert volumes.get_volume(made.id).metadata == {"plain": "1"}


def test_all_projects(admin: Account, member: Account) -> None:
    volume = member.create("shared")
    everywhere = admin.connection.block_storage
    [found] = everywhere.volumes(all_projects=True, project_id=member.project_id)
    assert (found.id, found.project_id) == (volume.id, member.project_id)
    assert found.host.startswith("box@")
    assert everywhere.find_volume("shared", all_projects=True).id == volume.id
    assert volume.id not in {each.id for each in everywhere.volumes()}
    stranger = admin.project_id
    assert (
        list(member.connection.block_storage.volumes(all_projects=True, project_id=stranger)) == []
    )
    everywhere.reset_volume_status(volume, status="error")
    assert member.wait_for(volume.id, "error").attachments == []
    everywhere.delete_volume(volume, force=True)
    member.wait_until_gone(volume.id)


def test_types(admin: Account, volume_api_version: str) -> None:
    volumes = admin.connect(volume_api_version=volume_api_version).block_storage
    made = volumes.create_type(name="sdk", description="x", is_public=False)
    volumes.update_type_extra_specs(made, volume_backend_name="fast", cost="1")
    volumes.delete_type_extra_specs(made, ["cost"])
    volumes.update_type(made, description="y", is_public=True)
    shown = volumes.find_type("sdk", ignore_missing=False)
    assert (shown.description, shown.is_public) == ("y", True)
    assert shown.extra_specs == {"volume_backend_name": "fast"}
    assert "sdk" in {each.name for each in volumes.types(limit=1)}
    volumes.delete_type(made, ignore_missing=False)
    assert volumes.find_type("sdk") is None


def test_services_pools_and_zones(admin: Account, demo: Account) -> None:
    volumes = admin.connection.block_storage
    service = volumes.find_service("cinder-volume", ignore_missing=False, host="box@slow")
    volumes.disable_service(service, reason="New disks")
    assert volumes.find_service("cinder-volume", host="box@slow").disabled_reason == "New disks"
    volumes.enable_service(service)
    assert volumes.find_service("cinder-volume", host="box@slow").status == "enabled"
    pools = {pool.name: pool.capabilities for pool in volumes.backend_pools()}
    assert pools["box@fast#fast"]["volume_backend_name"] == "fast"
    [zone] = demo.connection.block_storage.availability_zones()
    assert (zone.name, zone.state) == ("nova", {"available": True})
    assert "volume" in {each.resource for each in demo.connection.block_storage.resource_filters()}
    assert list(demo.connection.block_storage.extensions())


def test_quotas_and_limits(admin: Account, member: Account) -> None:
    volumes = admin.connection.block_storage
    updated = volumes.update_quota_set(member.project_id, volumes=2, gigabytes=3)
    assert (updated.volumes, updated.gigabytes) == (2, 3)
    member.create("two", size=2)
    shown = member.connection.block_storage.get_quota_set(member.project_id, usage=True)
    assert (shown.volumes, shown.usage["volumes"], shown.usage["gigabytes"]) == (2, 1, 2)
    with pytest.raises(exceptions.HttpException, match="gigabytes") as refusal:
        member.connection.block_storage.create_volume(size=2)
    assert refusal.value.status_code == 413
    absolute = member.connection.block_storage.get_limits().absolute
    assert (absolute.max_total_volumes, absolute.total_volumes_used) == (2, 1)
    assert volumes.get_limits(project=member.project_id).absolute.total_gigabytes_used == 2
    volumes.revert_quota_set(member.project_id)
    default = volumes.get_quota_set_defaults(member.project_id)
    assert volumes.get_quota_set(member.project_id).volumes == default.volumes


def test_messages(member: Account) -> None:
    volumes = member.connection.block_storage
    neighbour = member.create("neighbour")
    hints = {"same_host": neighbour.id, "different_host": neighbour.id}
    torn = volumes.create_volume(size=1, name="torn", scheduler_hints=hints)
    with pytest.raises(exceptions.ResourceFailure):
        volumes.wait_for_status(torn, interval=0.1, wait=60)
    [message] = volumes.messages()
    assert (message.resource_uuid, message.event_id) == (torn.id, "VOLUME_NO_BACKEND")
    assert volumes.get_message(message.id).user_message == message.user_message
    volumes.delete_message(message, ignore_missing=False)
    assert list(volumes.messages()) == []


def test_refusals(demo: Account) -> None:
    volumes = demo.connection.block_storage
    with pytest.raises(exceptions.BadRequestException, match=r"volume\.size"):
        volumes.create_volume(size=-1)
    with pytest.raises(exceptions.NotFoundException, match="Volume type marble"):
        volumes.create_volume(size=1, volume_type="marble")
    with pytest.raises(exceptions.ForbiddenException, match="type:create"):
        volumes.create_type(name="mine")

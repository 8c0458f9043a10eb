"""openstacksdk attaches volumes to servers: the proxy of the service, and the short way."""

import pytest
from openstack import exceptions
from openstack.connection import Connection

from tests.clients.account import Account


@pytest.fixture
def connection(demo: Account) -> Connection:
    return demo.connection


def test_finds_servers(connection: Connection, admin: Account) -> None:
    compute = connection.compute
    assert {server.name for server in compute.servers()} == {"alpha", "beta"}
    assert {server.name for server in compute.servers(details=False, limit=1)} == {"alpha", "beta"}
    alpha = compute.find_server("alpha", ignore_missing=False)
    assert compute.get_server(alpha.id).flavor["id"] == "1-128"
    assert alpha.project_id == connection.current_project_id
    assert compute.find_server("nothing") is None
    assert [server.name for server in admin.connection.compute.servers()] == []
    everywhere = admin.connection.compute.servers(all_projects=True)
    assert {server.compute_host for server in everywhere} == {"box"}
    [one_microversion] = {
        (endpoint.min_microversion, endpoint.max_microversion)
        for endpoint in [compute.get_endpoint_data()]
    }
    assert one_microversion == ((2, 1), (2, 1))


def test_life_of_an_attachment(connection: Connection, demo: Account) -> None:
    compute, volumes = connection.compute, connection.block_storage
    alpha = compute.find_server("alpha", ignore_missing=False)
    volume = demo.create("sdk-disk")
    made = compute.create_volume_attachment(alpha, volume_id=volume.id)
    assert (made.id, made.volume_id, made.server_id) == (volume.id, volume.id, alpha.id)
    volumes.wait_for_status(volume, "in-use", interval=0.1, wait=60)
    [listed] = compute.volume_attachments(alpha)
    assert (listed.volume_id, listed.device) == (volume.id, "/dev/vda")
    assert compute.get_volume_attachment(alpha, volume.id).device == "/dev/vda"
    [told] = volumes.get_volume(volume.id).attachments
    assert (told["server_id"], told["device"]) == (alpha.id, "/dev/vda")
    [attachment] = volumes.attachments(volume_id=volume.id)
    assert (attachment.instance, attachment.status) == (alpha.id, "attached")
    with pytest.raises(exceptions.BadRequestException, match="already"):
        compute.create_volume_attachment(alpha, volume_id=volume.id)
    compute.delete_volume_attachment(alpha, volume.id, ignore_missing=False)
    volumes.wait_for_status(volume, "available", interval=0.1, wait=60)
    assert list(compute.volume_attachments(alpha)) == []
    with pytest.raises(exceptions.NotFoundException):
        compute.delete_volume_attachment(alpha, volume.id, ignore_missing=False)
    volumes.delete_volume(volume)
    demo.wait_until_gone(volume.id)


def test_the_short_way(connection: Connection, demo: Account) -> None:
    """What Ansible's modules do."""
    demo.create("short-disk")
    server = connection.get_server("beta")
    attachment = connection.attach_volume(
        server, connection.get_volume("short-disk"), wait=True, timeout=60
    )
    assert attachment.server_id == server.id
    volume = connection.get_volume("short-disk")
    assert volume.status == "in-use"
    assert connection.get_volume_attach_device(volume, server.id) == "/dev/vda"
    connection.detach_volume(server, volume, wait=True, timeout=60)
    demo.wait_for("short-disk")
    assert connection.delete_volume("short-disk", timeout=60) is True


def test_refusals(connection: Connection, member: Account) -> None:
    alpha = connection.compute.find_server("alpha", ignore_missing=False)
    theirs = member.create("strangers-disk")
    with pytest.raises(exceptions.NotFoundException, match=theirs.id):
        connection.compute.create_volume_attachment(alpha, volume_id=theirs.id)
    with pytest.raises(exceptions.NotFoundException):
        member.connection.compute.create_volume_attachment(alpha.id, volume_id=theirs.id)
    with pytest.raises(exceptions.NotFoundException):
        connection.compute.get_server(theirs.id)

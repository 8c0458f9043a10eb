"""What is known of servers and backends that are no more."""

import pytest

from storage_project.api.faults import Conflict
from tests.factories import ServerFactory
from tests.operations.consistency import require_consistent
from volumes.backends import BINARY
from volumes.models import Attachment, Server, Service, Volume
from volumes.services.servers import attach_to_server, forget_servers
from volumes.services.services import forget_service

pytestmark = pytest.mark.django_db


def test_what_was_attached_to_a_server_that_is_forgotten_is_detached(world):
    volume = world.attached().volume
    kept = ServerFactory(hypervisor="another")
    forget_servers(hypervisor="lab")
    assert Volume.objects.get(pk=volume.pk).status == "available"
    assert not Attachment.objects.exists()
    assert [*Server.objects.all()] == [kept]


def test_what_is_just_being_attached_to_it_ends(world):
    volume = world.volume()
    attach_to_server(server=world.server(), volume=volume, caller=world.caller)
    forget_servers(hypervisor="lab")
    world.engine.run()
    assert Volume.objects.get(pk=volume.pk).status == "available"
    assert not Attachment.objects.exists()
    require_consistent()


def test_a_service_is_forgotten_with_its_volumes_if_they_may_be(world):
    host = world.volume().pool.service.host
    with pytest.raises(Conflict):
        forget_service(binary=BINARY, host=host)
    forget_service(binary=BINARY, host=host, with_volumes=True)
    assert not Service.objects.filter(host=host).exists()
    assert not Volume.objects.exists()
    require_consistent()

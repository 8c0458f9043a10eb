"""How servers, and the volumes attached to them, look."""

import hashlib
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from storage_project.api.gates import admin_only, named
from storage_project.api.links import base_url
from storage_project.api.representation import Constant, Representation
from storage_project.api.requests import ResourceRequest
from volumes.models import Attachment, Server

POWER = {"ACTIVE": 1, "PAUSED": 3, "SHUTOFF": 4}
# Servers are in no zone that could be chosen; clients expect a name.
ZONE = "nova"
VM_STATES = {"ACTIVE": "active", "PAUSED": "paused", "SHUTOFF": "stopped", "ERROR": "error"}


def flavor_name(vcpus: int, memory_mib: int) -> str:
    """The id and the name of a size: `2-4096` is two processors and 4 GiB of memory."""
    return f"{vcpus}-{memory_mib}"


def flavor_link(request: ResourceRequest, name: str, rel: str) -> dict[str, str]:
    version = "" if rel == "bookmark" else "/v2.1"
    return {"rel": rel, "href": f"{base_url(request)}/compute{version}/flavors/{name}"}


class ServerBriefRepresentation(Representation):
    """A server in a list that is not detailed."""

    envelope, plural = "server", "servers"

    id = serializers.UUIDField()
    name = serializers.CharField()
    links = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_links(self, server: Server) -> list[dict[str, str]]:
        root = f"{base_url(self.request)}/compute"
        return [
            {"rel": "self", "href": f"{root}/v2.1/servers/{server.pk}"},
            {"rel": "bookmark", "href": f"{root}/servers/{server.pk}"},
        ]


class ServerRepresentation(ServerBriefRepresentation):
    """A server with all that its hypervisor tells, and what clients read of every server."""

    status = serializers.CharField()
    tenant_id = serializers.CharField(source="project_id")
    user_id = Constant("")
    created = serializers.SerializerMethodField()
    updated = serializers.SerializerMethodField()
    metadata = Constant({})
    addresses = Constant({})
    accessIPv4 = Constant("")  # noqa: N815 - the API's name
    accessIPv6 = Constant("")  # noqa: N815 - the API's name
    image = Constant("")
    flavor = serializers.SerializerMethodField()
    key_name = Constant(None)
    config_drive = Constant("")
    progress = Constant(0)
    hostId = serializers.SerializerMethodField()  # noqa: N815 - the API's name
    availability_zone = named("OS-EXT-AZ:availability_zone", Constant(ZONE))
    disk_config = named("OS-DCF:diskConfig", Constant("MANUAL"))
    host = admin_only(named("OS-EXT-SRV-ATTR:host", serializers.CharField(source="host")))
    hypervisor_hostname = admin_only(
        named("OS-EXT-SRV-ATTR:hypervisor_hostname", serializers.CharField(source="host"))
    )
    instance_name = admin_only(
        named("OS-EXT-SRV-ATTR:instance_name", serializers.CharField(source="name"))
    )
    power_state = named(
        "OS-EXT-STS:power_state", serializers.SerializerMethodField("get_power_state")
    )
    task_state = named("OS-EXT-STS:task_state", Constant(None))
    vm_state = named("OS-EXT-STS:vm_state", serializers.SerializerMethodField("get_vm_state"))
    attached = named(
        "os-extended-volumes:volumes_attached",
        serializers.SerializerMethodField("get_volumes_attached"),
    )

    def get_created(self, server: Server) -> str:
        return f"{server.created_at:%Y-%m-%dT%H:%M:%SZ}"

    def get_updated(self, server: Server) -> str:
        return f"{server.reported_at:%Y-%m-%dT%H:%M:%SZ}"

    def get_hostId(self, server: Server) -> str:  # noqa: N802 - the API's name
        """Tells a project which of its servers are together, and nobody the host's name."""
        return hashlib.sha224(f"{server.project_id}{server.host}".encode()).hexdigest()

    @extend_schema_field(serializers.DictField())
    def get_flavor(self, server: Server) -> dict[str, Any]:
        """Its size."""
        name = flavor_name(server.vcpus, server.memory_mib)
        return {"id": name, "links": [flavor_link(self.request, name, "bookmark")]}

    def get_power_state(self, server: Server) -> int:
        return POWER.get(server.status, 0)

    def get_vm_state(self, server: Server) -> str:
        return VM_STATES[server.status]

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_volumes_attached(self, server: Any) -> list[dict[str, str]]:
        """`attached` is what the selector has read for all servers of the list."""
        return [{"id": str(volume_id)} for volume_id in server.attached]


class VolumeAttachmentRepresentation(Representation):
    """A volume as it is attached to a server; its own id is the volume's."""

    envelope, plural = "volumeAttachment", "volumeAttachments"

    id = serializers.UUIDField(source="volume_id")
    volumeId = serializers.UUIDField(source="volume_id")  # noqa: N815 - the API's name
    serverId = serializers.UUIDField(source="server_id")  # noqa: N815 - the API's name
    device = serializers.SerializerMethodField()

    def get_device(self, attachment: Attachment) -> str | None:
        """Where the hypervisor has put it, once it has."""
        return attachment.mountpoint

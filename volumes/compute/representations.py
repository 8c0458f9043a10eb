"""How servers, and the volumes attached to them, look."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from storage_project.api.gates import admin_only, named
from storage_project.api.links import base_url
from storage_project.api.representation import Constant, Representation
from volumes.models import Attachment, Server

POWER = {"ACTIVE": 1, "PAUSED": 3, "SHUTOFF": 4}
VM_STATES = {"ACTIVE": "active", "PAUSED": "paused", "SHUTOFF": "stopped", "ERROR": "error"}


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
    hostId = serializers.CharField(source="host")  # noqa: N815 - the API's name
    availability_zone = named("OS-EXT-AZ:availability_zone", Constant("nova"))
    disk_config = named("OS-DCF:diskConfig", Constant("MANUAL"))
    host = admin_only(named("OS-EXT-SRV-ATTR:host", serializers.CharField(source="host")))
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

    @extend_schema_field(serializers.DictField())
    def get_flavor(self, server: Server) -> dict[str, Any]:
        """Its size; there are no flavors to choose from."""
        return {"id": f"{server.vcpus}-{server.memory_mib}", "links": []}

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

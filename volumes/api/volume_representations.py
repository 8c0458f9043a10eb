"""How a volume looks: every field that a client may expect, at every microversion."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from storage_project.api.gates import admin_only, named, since
from storage_project.api.representation import BooleanText, LinksField, Representation
from storage_project.operations.api.links import OperatedRepresentation
from volumes.api.attachment_representations import VolumeAttachmentRepresentation
from volumes.models import Volume


class VolumeNameRepresentation(Representation):
    """A volume in a list that is not detailed."""

    envelope, plural = "volume", "volumes"

    id = serializers.UUIDField()
    name = serializers.CharField()
    links = LinksField("volumes")


class VolumeRepresentation(OperatedRepresentation, VolumeNameRepresentation):
    """A volume with all that there is to know of it."""

    description = serializers.CharField()
    status = serializers.CharField()
    size = serializers.IntegerField(source="size_gib")
    volume_type = serializers.CharField(source="volume_type.name")
    volume_type_id = since("3.63", serializers.UUIDField())
    availability_zone = serializers.CharField()
    bootable = BooleanText()
    multiattach = serializers.BooleanField()
    metadata = serializers.SerializerMethodField()
    attachments = serializers.SerializerMethodField()
    user_id = serializers.CharField()
    tenant_id = named("os-vol-tenant-attr:tenant_id", serializers.CharField(source="project_id"))
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    host = admin_only(named("os-vol-host-attr:host", serializers.CharField(source="pool.host")))
    migration_status = admin_only(serializers.CharField())
    migstat = admin_only(
        named("os-vol-mig-status-attr:migstat", serializers.CharField(source="migration_status"))
    )
    service_uuid = since("3.48", serializers.UUIDField(source="pool.service.uuid"))

    snapshot_id = serializers.UUIDField(source="source_snapshot_id")
    source_volid = serializers.UUIDField(source="source_volume_id")
    consistencygroup_id = serializers.SerializerMethodField("get_null")
    group_id = since("3.13", serializers.SerializerMethodField("get_null"))
    replication_status = serializers.SerializerMethodField("get_null")
    name_id = admin_only(
        named("os-vol-mig-status-attr:name_id", serializers.SerializerMethodField("get_null"))
    )
    provider_id = since("3.21", admin_only(serializers.SerializerMethodField("get_null")))
    cluster_name = since("3.61", admin_only(serializers.SerializerMethodField("get_null")))
    encrypted = serializers.SerializerMethodField("get_false")
    shared_targets = since("3.48", serializers.SerializerMethodField("get_false"))
    consumes_quota = since("3.65", serializers.SerializerMethodField("get_true"))

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_metadata(self, volume: Volume) -> dict[str, str]:
        """With the flag that Cinder shows here."""
        metadata: dict[str, str] = volume.metadata
        return metadata | {"readonly": "True"} if volume.readonly else metadata

    @extend_schema_field(VolumeAttachmentRepresentation(many=True))
    def get_attachments(self, volume: Volume) -> list[dict[str, Any]]:
        """Those that are in use. Most volumes have none, and are asked nothing."""
        if volume.attach_status != "attached":
            return []
        attached = getattr(volume, "attached", None)  # which lists have read for all their rows
        if attached is None:
            attached = volume.attachments.filter(status="attached")
        return VolumeAttachmentRepresentation.render_many(attached, self.request)

    # What clients read from every volume, and what is the same for all of ours.

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_null(self, volume: Volume) -> None:
        return None

    def get_false(self, volume: Volume) -> bool:
        return False

    def get_true(self, volume: Volume) -> bool:
        return True

"""How an attachment looks: by itself, in lists, and as a part of its volume."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from storage_project.api.representation import Representation, show_time
from storage_project.identity.policy import allows
from storage_project.operations.api.links import OperatedRepresentation
from volumes.models import Attachment


class AttachmentBriefRepresentation(OperatedRepresentation):
    """An attachment in a list that is not detailed."""

    envelope, plural = "attachment", "attachments"

    id = serializers.UUIDField()
    status = serializers.CharField()
    instance = serializers.UUIDField(source="server_id")
    volume_id = serializers.UUIDField()


class AttachmentRepresentation(AttachmentBriefRepresentation):
    """An attachment with all that there is to know of it."""

    attach_mode = serializers.CharField()
    attached_at = serializers.SerializerMethodField()
    detached_at = serializers.SerializerMethodField()
    connection_info = serializers.SerializerMethodField()

    def get_attached_at(self, attachment: Attachment) -> str:
        return show_time(attachment.attached_at) or ""

    def get_detached_at(self, attachment: Attachment) -> str:
        """Who is detached is not there any more."""
        return ""

    @extend_schema_field(serializers.DictField())
    def get_connection_info(self, attachment: Attachment) -> dict[str, Any]:
        """Flat, as clients of attachments expect it; empty until it is connected, and for those
        who may only read."""
        if not allows(self.request.auth, "attachment:get_connection_info"):
            return {}
        info = attachment.connection_info
        if not info:
            return {}
        return {
            **info["data"],
            "driver_volume_type": info["driver_volume_type"],
            "attachment_id": str(attachment.pk),
        }


class VolumeAttachmentRepresentation(Representation):
    """An attachment as its volume shows it."""

    id = serializers.UUIDField(source="volume_id")
    attachment_id = serializers.UUIDField(source="pk")
    volume_id = serializers.UUIDField()
    server_id = serializers.UUIDField()
    host_name = serializers.SerializerMethodField()
    device = serializers.CharField(source="mountpoint")
    attached_at = serializers.DateTimeField()

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_host_name(self, attachment: Attachment) -> str | None:
        """On which host a server runs is for administrators; a host without one has named itself,
        and finds its attachment by that."""
        is_own = attachment.server_id is None
        return attachment.host_name if is_own or self.request.auth.is_admin else None

"""How a snapshot looks, in a list and by itself."""

from rest_framework import serializers

from storage_project.api.gates import named, since
from storage_project.api.representation import Constant
from storage_project.operations.api.links import OperatedRepresentation
from volumes.models import Snapshot


class SnapshotBriefRepresentation(OperatedRepresentation):
    """A snapshot in a list that is not detailed; it tells more than such a list of volumes does."""

    envelope, plural = "snapshot", "snapshots"

    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    status = serializers.CharField()
    size = serializers.IntegerField(source="size_gib")
    volume_id = serializers.UUIDField()
    metadata = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class SnapshotRepresentation(SnapshotBriefRepresentation):
    """A snapshot with all that there is to know of it."""

    project_id = named("os-extended-snapshot-attributes:project_id", serializers.CharField())
    progress = named(
        "os-extended-snapshot-attributes:progress",
        serializers.SerializerMethodField("get_progress"),
    )
    group_snapshot_id = since("3.14", Constant(None))
    user_id = since("3.41", serializers.CharField())
    consumes_quota = since("3.65", Constant(True))

    def get_progress(self, snapshot: Snapshot) -> str:
        """Whether it is whole; how far it is, its operation tells."""
        return "0%" if snapshot.status == "creating" else "100%"

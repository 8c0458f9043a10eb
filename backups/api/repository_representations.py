"""How a repository looks, to those who may choose it and to those who keep it; and its damages."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from backups.models import Damage
from storage_project.api.gates import admin_only
from storage_project.api.links import volume_url
from storage_project.api.representation import LinksField, Representation
from storage_project.operations.api.links import OperatedRepresentation


class RepositoryRepresentation(OperatedRepresentation):
    """A place for backups; its name is their `container`."""

    envelope, plural = "backup_repository", "backup_repositories"

    id = serializers.UUIDField()
    name = serializers.CharField()
    availability_zone = serializers.CharField()
    state = serializers.SerializerMethodField()
    enabled = serializers.BooleanField()
    links = LinksField("backup_repositories")
    operations = admin_only(serializers.SerializerMethodField())
    status = admin_only(serializers.CharField())
    repository_id = admin_only(serializers.CharField())
    encrypted = admin_only(serializers.BooleanField())
    # As last measured.
    backups = admin_only(serializers.IntegerField())
    logical_bytes = admin_only(serializers.IntegerField())
    unique_bytes = admin_only(serializers.IntegerField())
    stored_bytes = admin_only(serializers.IntegerField())
    free_bytes = admin_only(serializers.IntegerField())
    total_bytes = admin_only(serializers.IntegerField())
    measured_at = admin_only(serializers.DateTimeField())
    # How it is.
    open_damages = admin_only(serializers.IntegerField())
    collected_at = admin_only(serializers.DateTimeField())
    scrubbed_at = admin_only(serializers.DateTimeField())
    scrubbed_once_at = admin_only(serializers.DateTimeField())
    created_at = admin_only(serializers.DateTimeField())
    updated_at = admin_only(serializers.DateTimeField())

    def get_state(self, repository: Any) -> str:
        """`is_up` is what the selector adds to each row."""
        return "up" if repository.is_up else "down"


class DamageRepresentation(Representation):
    """An object that is not what was written, or is gone."""

    plural = "damages"

    id = serializers.UUIDField()
    key = serializers.CharField()
    sentence = serializers.CharField()
    found_at = serializers.DateTimeField(source="created_at")
    healed_at = serializers.DateTimeField()
    backup_count = serializers.IntegerField()
    backups = serializers.SerializerMethodField()

    @extend_schema_field(serializers.URLField)
    def get_backups(self, damage: Damage) -> str:
        """Where those are listed that it hits."""
        root = volume_url(self.request, self.request.auth.project_id)
        return f"{root}/backups/detail?all_tenants=1&damage_id={damage.pk}"

"""What clients send to back up, to change a backup, to restore it, and to import one."""

from typing import Any

from rest_framework import serializers

from storage_project.api.bodies import Body
from storage_project.api.gates import since
from storage_project.api.input_fields import BooleanLike, IdField, MetadataField, NameField, Text
from volumes.api.volume_bodies import OptionalId, OptionalText


class Description(Text):
    def __init__(self) -> None:
        super().__init__(required=False, allow_null=True, allow_blank=True, trim_whitespace=True)


class Flag(BooleanLike):
    """False unless it is said; null says nothing."""

    def __init__(self) -> None:
        super().__init__(required=False, allow_null=True, default=False)


class CreateBackup(Body):
    envelope = "backup"
    example = {"volume_id": "3f0e6d9c-5b7a-4f0e-9d51-0a6c2f4a7b11", "name": "sunday"}

    volume_id = IdField()
    snapshot_id = OptionalId()
    name = NameField(required=False, allow_null=True)
    description = Description()
    container = OptionalText()
    incremental = Flag()
    force = Flag()
    metadata = since("3.43", MetadataField(required=False, allow_null=True))
    availability_zone = since("3.51", OptionalText())

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        flags = {name: bool(attrs.get(name)) for name in ("incremental", "force")}
        return attrs | flags


class UpdateBackup(Body):
    envelope = "backup"
    example = {"name": "sunday", "description": "Before the upgrade"}

    name = NameField(required=False, allow_null=True)
    description = Description()
    metadata = since("3.43", MetadataField(required=False))
    # Ours: whether it can be deleted.
    protected = BooleanLike(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError("Give name, description, metadata or protected.")
        return attrs


class RestoreBackup(Body):
    envelope = "restore"
    example = {"name": "as it was on sunday"}

    volume_id = OptionalId()
    name = NameField(required=False, allow_null=True)
    skip_damaged = Flag()


class ImportRecord(Body):
    envelope = "backup-record"
    example = {"backup_service": "khoi", "backup_url": "e30="}

    backup_service = Text()
    backup_url = Text(max_length=1_000_000)

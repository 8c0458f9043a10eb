"""Volume types: what an admin offers."""

from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, Value
from django.db.models.functions import Concat, Now

from storage_project.api.faults import BadRequest, Conflict, NotFound
from volumes.models import QuotaLimit, QuotaUsage, VolumeType
from volumes.quota import PER_TYPE


def ensure_default_type() -> VolumeType:
    """The type of a volume whose creator names none: any backend may take it."""
    return VolumeType.objects.get_or_create(
        name=VolumeType.DEFAULT_NAME, defaults={"description": "Default Volume Type"}
    )[0]


def create_type(
    *,
    name: str,
    description: str | None = None,
    is_public: bool = True,
    extra_specs: Mapping[str, str] | None = None,
) -> VolumeType:
    """Make a type; 409 when the name is taken."""
    try:
        with transaction.atomic():
            return VolumeType.objects.create(
                name=name,
                description=description,
                is_public=is_public,
                extra_specs=dict(extra_specs or {}),
            )
    except IntegrityError:
        raise Conflict(f"Volume Type {name} already exists.") from None


def update_type(*, volume_type: VolumeType, **changes: str | bool | None) -> VolumeType:
    """Set `name`, `description` or `is_public`; usage and limits follow a new name."""
    old_name = volume_type.name
    try:
        with transaction.atomic():
            VolumeType.objects.filter(pk=volume_type.pk).update(updated_at=Now(), **changes)
            new_name = changes.get("name")
            if isinstance(new_name, str) and new_name != old_name:
                _rename_quotas(old_name, new_name)
    except IntegrityError:
        raise Conflict(f"Volume Type {changes['name']} already exists.") from None
    volume_type.refresh_from_db()
    return volume_type


def _rename_quotas(old: str, new: str) -> None:
    for model in (QuotaUsage, QuotaLimit):
        for prefix in PER_TYPE:
            model.objects.filter(resource=f"{prefix}_{old}").update(
                resource=Concat(Value(f"{prefix}_"), Value(new))
            )


def delete_type(*, volume_type: VolumeType) -> None:
    """Delete a type; 400 while volumes have it, or when it is the default."""
    if volume_type.name == VolumeType.DEFAULT_NAME:
        raise BadRequest("The default volume type cannot be deleted.")
    try:
        volume_type.delete()
    except ProtectedError:
        raise BadRequest(
            f"Target volume type is still in use: {volume_type.name} has volumes."
        ) from None


def set_extra_specs(
    *, volume_type: VolumeType, extra_specs: Mapping[str, str], replace: bool = False
) -> dict[str, str]:
    """Add to a type's extra specs, or replace them all."""
    with transaction.atomic():
        locked = VolumeType.objects.select_for_update().get(pk=volume_type.pk)
        specs = dict(extra_specs) if replace else locked.extra_specs | dict(extra_specs)
        VolumeType.objects.filter(pk=volume_type.pk).update(extra_specs=specs, updated_at=Now())
    volume_type.extra_specs = specs
    return specs


def delete_extra_spec(*, volume_type: VolumeType, key: str) -> None:
    """Delete one extra spec; 404 when the type has none of that name."""
    with transaction.atomic():
        locked = VolumeType.objects.select_for_update().get(pk=volume_type.pk)
        if locked.extra_specs.pop(key, None) is None:
            raise NotFound("Extra spec", key)
        VolumeType.objects.filter(pk=volume_type.pk).update(
            extra_specs=locked.extra_specs, updated_at=Now()
        )

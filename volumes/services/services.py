"""Switching services on and off: what is disabled gets no new volumes, and finishes what it has."""

from django.db import transaction
from django.db.models import ProtectedError

from storage_project.api.faults import Conflict, NotFound
from volumes.models import Service, Volume
from volumes.removal import remove_row


def set_service_enabled(
    *, binary: str, host: str, enabled: bool, reason: str | None = None
) -> Service:
    """Enable a service, or disable it with the reason that the scheduler will give."""
    service = Service.objects.filter(binary=binary, host=host).first()
    if service is None:
        raise NotFound("Service", f"{binary} on {host}")
    service.enabled = enabled
    service.disabled_reason = "" if enabled else (reason or "")
    service.save(update_fields=["enabled", "disabled_reason"])
    return service


@transaction.atomic
def forget_service(*, binary: str, host: str, with_volumes: bool = False) -> None:
    """Remove a service that does not run any more, with its pools; 409 while they hold volumes,
    unless these are to be forgotten, too."""
    if with_volumes:
        for volume in Volume.objects.select_for_update().filter(pool__service__host=host):
            remove_row(volume)
    try:
        Service.objects.filter(binary=binary, host=host).delete()
    except ProtectedError:
        raise Conflict(f"{binary} on {host} has volumes.") from None

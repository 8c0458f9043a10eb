"""Switching services on and off: what is disabled gets no new volumes, and finishes what it has."""

from storage_project.api.faults import NotFound
from volumes.models import Service


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

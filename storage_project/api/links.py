"""Addresses in answers: where clients, possibly behind a proxy, reach this service."""

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

# Below these is the API; all else is pages for people.
API_ROOTS = ("/v3", "/identity", "/compute")


def base_url(request: HttpRequest | Request) -> str:
    """Scheme and host as the client sees them, without a trailing slash.

    STORAGE_PUBLIC_URL when it is set, else what the request says (X-Forwarded-Proto and -Host
    included, by Django's settings).
    """
    return settings.STORAGE_PUBLIC_URL or f"{request.scheme}://{request.get_host()}"


def volume_url(request: HttpRequest | Request, project_id: str | None) -> str:
    """The root of the volume API for a project, as it stands in the catalog."""
    url = f"{base_url(request)}/v3"
    return f"{url}/{project_id}" if project_id else url

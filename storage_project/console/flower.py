"""Where Flower shows the tasks of our steps."""

from urllib.parse import quote, urlsplit

from django.conf import settings
from django.http import HttpRequest


def flower_url(request: HttpRequest) -> str:
    """Flower as this browser reaches it: where the settings say, else beside this page."""
    if settings.FLOWER_URL:
        return settings.FLOWER_URL
    host = urlsplit(f"//{request.get_host()}").hostname or "localhost"
    host = f"[{host}]" if ":" in host else host
    return f"{request.scheme}://{host}:{settings.FLOWER_PORT}"


def flower_tasks_url(request: HttpRequest, *, kind: str, operation_id: object) -> str:
    """Flower's list of the tasks that ran for one operation.

    Its page fills its search box with `name:` and this parameter; the terms are joined by AND.
    """
    return f"{flower_url(request)}/tasks?name={quote(f'{kind} args:{operation_id}')}"

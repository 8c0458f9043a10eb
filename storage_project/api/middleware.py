"""Before a request is routed: its id, and the one spelling of its address."""

import re
from collections.abc import Callable
from uuid import uuid4

import structlog
from django.http import HttpRequest, HttpResponse

from storage_project.api.links import API_ROOTS

# An id that a calling service chose, so that its log and ours can be joined.
FOREIGN_ID = re.compile(r"req-[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
SLASHES = re.compile(r"//+")


class RequestIdMiddleware:
    """Gives each request an id, in the log lines and in the answer, and tidies API addresses.

    Clients join paths carelessly; `//v3//volumes/` is `/v3/volumes`. A redirect would lose the
    body of a POST, so the address is corrected in place.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = f"req-{uuid4()}"
        request.request_id = request_id  # type: ignore[attr-defined]
        names = {"request_id": request_id}
        foreign_id = request.META.get("HTTP_X_OPENSTACK_REQUEST_ID", "")
        if FOREIGN_ID.fullmatch(foreign_id):
            names["global_request_id"] = foreign_id
        tidy_address(request)
        with structlog.contextvars.bound_contextvars(**names):
            response = self.get_response(request)
        # The second name is what cinderclient reads.
        response["x-openstack-request-id"] = request_id
        response["x-compute-request-id"] = request_id
        return response


def tidy_address(request: HttpRequest) -> None:
    """Collapse double slashes and drop trailing ones, in the addresses of the API only."""
    path = request.path_info
    if "//" not in path and not path.endswith("/"):
        return
    tidy = SLASHES.sub("/", path).rstrip("/") or "/"
    if tidy == "/" or tidy.startswith(API_ROOTS):
        request.path = request.path.removesuffix(path) + tidy
        request.path_info = tidy

"""Errors as the API shows them: one envelope, one sentence, the right code.

Raise a `Fault` anywhere below a view. What the framework raises itself (a bad body, an unknown
address, a database that is away) is turned into the same envelope by `render_fault`, so a client
never meets a second form: `{"itemNotFound": {"code": 404, "message": "Volume … could not be …"}}`.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from storage_project.api.links import API_ROOTS

log = structlog.get_logger(__name__)

# The name of the envelope for each status, as Cinder's clients know them.
ENVELOPE_KEYS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    406: "notAcceptable",
    409: "conflictingRequest",
    412: "preconditionFailed",
    413: "overLimit",
    415: "badMediaType",
    422: "unprocessableEntity",
    429: "overLimit",
    500: "computeFault",
    501: "notImplemented",
    503: "serviceUnavailable",
}
# How much of a value that a client sent is repeated in a message.
SHOWN_LENGTH = 255


class Fault(exceptions.APIException):
    """An error with a status and a sentence for the client; `extra` goes into the envelope."""

    status_code = 500

    def __init__(
        self,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    @property
    def message(self) -> str:
        return str(self.detail)

    @property
    def key(self) -> str:
        """The name of the envelope around this fault."""
        return ENVELOPE_KEYS.get(self.status_code, "computeFault")


class BadRequest(Fault):
    status_code = 400


class Forbidden(Fault):
    status_code = 403


class NotFound(Fault):
    """`NotFound("Volume", volume_id)`: there is no such thing, or it is another project's."""

    status_code = 404

    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"{kind} {str(name)[:SHOWN_LENGTH]} could not be found.")


class UnknownAddress(Fault):
    """No resource lives at this URL, at this microversion."""

    status_code = 404

    def __init__(self, message: str = "The resource could not be found.") -> None:
        super().__init__(message)


class NotAcceptable(Fault):
    status_code = 406


class Conflict(Fault):
    """The thing is in a state that does not allow this; the message names the state."""

    status_code = 409


class PreconditionFailed(Fault):
    """The thing is not any more what the client has seen (If-Match)."""

    status_code = 412


class OverLimit(Fault):
    """A quota is used up: 413 with Retry-After, which the CSI driver maps to ResourceExhausted."""

    status_code = 413

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"Retry-After": "0"}, extra={"retryAfter": "0"})


class Unprocessable(Fault):
    status_code = 422


class ServiceUnavailable(Fault):
    """Something the service needs is away for a moment; the same request may work again soon."""

    status_code = 503

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"Retry-After": "1"})


class FrameworkFault(Fault):
    """What Django or REST framework refused by itself, with its own status."""

    def __init__(self, exc: exceptions.APIException) -> None:
        super().__init__(describe(exc.detail))
        self.status_code = exc.status_code
        if wait := getattr(exc, "wait", None):
            self.headers["Retry-After"] = f"{wait:.0f}"


def describe(detail: Any, path: str = "") -> str:
    """Flatten the errors of a body into sentences that each begin with the path of the field."""
    if isinstance(detail, Mapping):
        return " ".join(
            describe(value, path if name == "non_field_errors" else f"{path}.{name}".lstrip("."))
            for name, value in detail.items()
            if value
        )
    if isinstance(detail, Sequence) and not isinstance(detail, str):
        return " ".join(describe(item, path) for item in detail if item)
    return f"{path}: {detail}" if path else str(detail)


def as_fault(exc: Exception) -> Fault | None:
    """The fault that stands for an exception, or None for a defect of ours."""
    match exc:
        case Fault():
            return exc
        case exceptions.ValidationError():
            return BadRequest(f"Invalid input for {describe(exc.detail)}")
        case exceptions.APIException():
            return FrameworkFault(exc)
        case Http404():
            return UnknownAddress()
        case PermissionDenied():
            return Forbidden(str(exc) or "You are not allowed to do this.")
        case RequestDataTooBig():
            return OverLimit("The body of the request is too large.")
        case SuspiciousOperation() | UnreadablePostError():
            return BadRequest("The request could not be read.")
        case OperationalError() | InterfaceError():
            log.exception("database unavailable", exc_info=exc)
            return ServiceUnavailable("The database cannot be reached at the moment; try again.")
    return None


def envelope(fault: Fault, style: str = "") -> dict[str, Any]:
    """The body of an answer for a fault. Style "identity" is the envelope of Identity v3."""
    code = fault.status_code
    if style == "identity":
        title = HTTPStatus(code).phrase
        return {"error": {"code": code, "title": title, "message": fault.message} | fault.extra}
    return {fault.key: {"code": code, "message": fault.message} | fault.extra}


def render_fault(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """REST framework's exception handler; None lets a defect reach the log and `server_error`."""
    fault = as_fault(exc)
    if fault is None:
        return None
    headers = fault.headers
    if auth_header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    style = getattr(context.get("view"), "fault_style", "")
    return Response(envelope(fault, style), status=fault.status_code, headers=headers)


def respond(request: HttpRequest, fault: Fault) -> JsonResponse:
    """Answer with a fault outside any view of ours, where only the address tells the style."""
    style = "identity" if request.path_info.startswith("/identity") else ""
    return JsonResponse(envelope(fault, style), status=fault.status_code, headers=fault.headers)


def is_page(request: HttpRequest) -> bool:
    """Whether the address belongs to the pages for people (admin, sign-in), not to the API."""
    return not request.path_info.startswith(API_ROOTS)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404: no route for the address."""
    if is_page(request):
        return defaults.page_not_found(request, exception)
    return respond(request, UnknownAddress())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: Django refused the request before it reached a view."""
    return respond(request, as_fault(exception) or BadRequest("The request could not be read."))


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: a defect of ours. The request id finds its traceback in the log."""
    request_id = getattr(request, "request_id", "unknown")
    return respond(request, Fault(f"Unexpected error. Please report request {request_id}."))

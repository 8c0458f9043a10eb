"""The request as handlers see it."""

from typing import Any

from rest_framework.request import Request

from storage_project.api.versions import MIN, Microversion


class ResourceRequest(Request):
    """What the middleware, the negotiation and the authentication have found out."""

    # What was negotiated; fields and actions declare gates, handlers need not ask.
    microversion: Microversion = MIN
    # "req-<uuid>", as in the answer's header and the log.
    request_id: str
    # The caller (storage_project.identity), or None at addresses that need none.
    auth: Any

    @property
    def data(self) -> dict[str, Any]:
        """The parsed body, always an object; empty when there is none."""
        return super().data  # type: ignore[return-value]

"""Flags in the query of an address: `?force=true`."""

from storage_project.api.faults import BadRequest
from storage_project.api.input_fields import read_boolean
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import MIN, Microversion


def read_flag(request: ResourceRequest, name: str, *, since: Microversion = MIN) -> bool:
    """Whether the flag is set; a bare `?force` sets it. Before `since` it means nothing."""
    text = request.query_params.get(name)
    if text is None or request.microversion < since:
        return False
    try:
        return read_boolean(text or "1")
    except ValueError:
        raise BadRequest(f"{name} must be a boolean.") from None

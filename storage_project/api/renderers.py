"""Writing answers: JSON for programs, the same as a page for people."""

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework import renderers


class JSONRenderer(renderers.BaseRenderer):
    """Compact JSON; indented when the page asks for it."""

    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else orjson.dumps(data)


class BrowsableAPIRenderer(renderers.BrowsableAPIRenderer):
    """The answer as a page, with forms to go on from there."""

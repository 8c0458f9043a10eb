"""Reading request bodies: JSON objects, nothing else."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework import parsers

from storage_project.api.faults import BadRequest


class JSONParser(parsers.JSONParser):
    """A JSON object, or 400. NUL characters are refused: no database column can hold them.

    Being one of REST framework's JSON parsers, it is given bodies within Django's limit only.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        content = stream.read()
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"The body is not valid JSON: {error}.") from None
        if not isinstance(body, dict):
            raise BadRequest("The body must be a JSON object.")
        if b"\\u0000" in content and holds_nul(body):
            raise BadRequest("The body must not contain NUL characters.")
        return body


def holds_nul(value: Any) -> bool:
    """Whether a NUL character is in any text of a parsed document."""
    match value:
        case str():
            return "\0" in value
        case dict():
            return any(holds_nul(key) or holds_nul(item) for key, item in value.items())
        case list():
            return any(holds_nul(item) for item in value)
    return False

"""JSON as HTML: indented, coloured by CSS classes, addresses clickable."""

import re
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?|(?P<word>\b(?:true|false|null)\b)'
    r"|(?P<number>-?\d[\d.eE+-]*)"
)
ADDRESS = re.compile(r'"https?://[^"\\\s]+"')


def highlight(data: Any, *, host: str, query: str = "") -> SafeString:
    """The document as HTML. Links to `host`, this server, get `query` ("microversion=3.50")."""

    def paint(match: re.Match[str]) -> str:
        text: str = escape(match[0])
        if match["colon"]:
            return f'<span class="key">{text}</span>'
        if match["word"]:
            return f'<span class="word">{text}</span>'
        if match["number"]:
            return f'<span class="number">{text}</span>'
        if ADDRESS.fullmatch(match[0]) and (target := find_page(match[0][1:-1], host, query)):
            text = f'<a href="{escape(target)}" rel="nofollow">{text}</a>'
        return f'<span class="string">{text}</span>'

    document = orjson.dumps(data, option=orjson.OPT_INDENT_2).decode()
    # Outside of the tokens there are only brackets, commas and white space.
    return mark_safe(TOKEN.sub(paint, document))  # noqa: S308 - every token is escaped


def find_page(address: str, host: str, query: str) -> str | None:
    """Where a click on the address leads; None for bookmarks, which have no version and no page."""
    parts = urlsplit(address)
    if parts.netloc != host:
        return address
    if not parts.path.startswith(("/v3", "/identity", "/compute/v2.1")):
        return None
    return parts._replace(query=f"{parts.query}&{query}".strip("&")).geturl()

"""Which form an answer takes: a page for a browser, JSON for everyone else."""

from collections.abc import Iterable

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


def wants_page(request: Request) -> bool:
    return "text/html" in request.META.get("HTTP_ACCEPT", "")


class PageOrJSON(BaseContentNegotiation):
    """Browsers say text/html and get the page. Programs get JSON, whatever else they accept.

    The first renderer of a view answers programs. A body without a content type is read as the
    first parser's.
    """

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        if wants_page(request):
            for renderer in renderers:
                if renderer.media_type == "text/html":
                    return renderer, "text/html"
        first = next(iter(renderers))
        return first, first.media_type

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        media_type = request.content_type.partition(";")[0].strip().lower()
        if not media_type:
            return next(iter(parsers))
        return next((parser for parser in parsers if parser.media_type == media_type), None)

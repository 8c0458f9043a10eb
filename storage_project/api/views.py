"""The base of every endpoint: microversion, gates, project scope, headers."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.response import Response
from rest_framework.views import APIView

from storage_project.api import versions
from storage_project.api.bodies import Body
from storage_project.api.faults import BadRequest, UnknownAddress
from storage_project.api.idempotency import answer_once
from storage_project.api.negotiation import PageOrJSON, wants_page
from storage_project.api.representation import Representation
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import Microversion

Shown = type[Representation] | list[type[Representation]]


class ResourceView(APIView):
    """One address of the API. Write `get`, `post`, … that call one service or selector.

    A handler gets the identifiers from the URL, without the project: that is compared with the
    caller's here, and handlers use `request.auth.project_id`. `request.microversion` is what was
    negotiated, but declare gates rather than ask for it.
    """

    # What the policy calls each method: {"GET": "volume:get"}.
    policies: Mapping[str, str] = {}
    # From which microversion a method exists: {"GET": Microversion(3, 3)}.
    gates: ClassVar[Mapping[str, Microversion]] = {}
    # "identity" for the envelope of Identity v3.
    fault_style: ClassVar[str] = ""

    # What each method reads: {"POST": CreateVolume}. `self.read(request)` reads it.
    bodies: ClassVar[Mapping[str, type[Body]]] = {}
    # What each method shows: {"GET": [VolumeRepresentation], "POST": VolumeRepresentation}, in
    # brackets for a list. `self.answer(…)` shows it.
    answers: ClassVar[Mapping[str, Shown]] = {}

    request: ResourceRequest
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    content_negotiation_class = PageOrJSON
    format_kwarg = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "post" in cls.__dict__:
            cls.post = answer_once(cls.post)  # type: ignore[attr-defined]

    def read(self, request: ResourceRequest) -> dict[str, Any]:
        """The validated body of this request, or 400 naming the field."""
        return self.bodies[request.method or ""].read(request)

    def answer(self, result: Any, *, status: int = 200) -> Response:
        """Show an object, a `Page` or other rows in the envelope of their representation."""
        method = self.request.method or ""
        shown = self.answers["GET" if method == "HEAD" else method]
        if isinstance(shown, list):
            return Response(shown[0].show_list(result, self.request), status=status)
        return Response(shown.show(result, self.request), status=status)

    def dispatch(
        self, request: HttpRequest, *args: Any, url_project_id: str | None = None, **kwargs: Any
    ) -> HttpResponseBase:
        self.url_project_id = url_project_id
        return super().dispatch(request, *args, **kwargs)

    def initialize_request(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> ResourceRequest:
        return ResourceRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )

    def initial(  # type: ignore[override]
        self, request: ResourceRequest, *args: Any, **kwargs: Any
    ) -> None:
        # Before anything can be refused: also the page with a refusal shows who is signed in.
        self.perform_authentication(request)
        request.microversion = self.negotiate_microversion(request)
        self.check_address(request)
        super().initial(request, *args, **kwargs)
        self.check_project(request)

    def negotiate_microversion(self, request: ResourceRequest) -> Microversion:
        """The header decides. A browser, which cannot set one, says ?microversion=3.50, and gets
        the latest when it does not; programs without a header get the first.
        """
        header = request.META.get("HTTP_OPENSTACK_API_VERSION")
        if header is not None:
            return versions.negotiate(header)
        wanted = request.query_params.get("microversion")
        if wanted is not None:
            return versions.select(wanted)
        return versions.MAX if wants_page(request) else versions.MIN

    def check_address(self, request: ResourceRequest) -> None:
        """Refuse what no handler can answer, before anybody is asked who they are."""
        if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            raise BadRequest("The address must not contain NUL characters.")
        method = request.method or ""
        if method not in self.allowed_methods:
            raise MethodNotAllowed(method)
        needed = self.gates.get("GET" if method == "HEAD" else method, versions.MIN)
        if request.microversion < needed:
            raise UnknownAddress(
                f"API version {request.microversion} is not supported on this method; "
                f"it needs {needed} or later."
            )

    def check_project(self, request: ResourceRequest) -> None:
        """A project in the address must be the one that the caller acts on."""
        if self.url_project_id is None or request.auth is None:
            return
        if self.url_project_id != request.auth.project_id:
            raise BadRequest("Malformed request url: the project is not the token's.")

    def finalize_response(  # type: ignore[override]
        self, request: ResourceRequest, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        patch_vary_headers(response, [versions.HEADER])
        response[versions.HEADER] = f"volume {request.microversion}"
        return response

    @property
    def allowed_methods(self) -> list[str]:
        return [name.upper() for name in self.http_method_names if hasattr(self, name)]

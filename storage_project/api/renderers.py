"""Writing answers: JSON for programs, the same as a page with forms for people."""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from django.conf import settings
from django.template import loader
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from rest_framework import renderers
from rest_framework.request import clone_request

from storage_project.api.highlight import highlight
from storage_project.api.versions import MAX, MIN, Microversion

# What the methods do, as the titles of their forms.
WRITING_METHODS = {"POST": "Create", "PUT": "Update", "PATCH": "Update", "DELETE": "Delete"}
# Everything on a page comes from this server; a browser is told to refuse the rest.
PAGE_POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"


class JSONRenderer(renderers.BaseRenderer):
    """Compact JSON; no body for None."""

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


@dataclass(frozen=True)
class Example:
    """A body to begin with, and what it is called in the selection."""

    name: str
    document: str


@dataclass(frozen=True)
class RequestForm:
    """A request that can be sent from a page."""

    title: str
    method: str
    address: str
    examples: Sequence[Example]


@dataclass(frozen=True)
class Collection:
    """An entry of the navigation."""

    name: str
    address: str


class BrowsableAPIRenderer(renderers.BrowsableAPIRenderer):
    """The answer as a page: where one is, what came back, and what can be sent from here."""

    template = "api/browsable.html"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> str:
        assert renderer_context is not None
        view, request, response = (renderer_context[k] for k in ("view", "request", "response"))
        chosen = request.query_params.get("microversion", "")
        query = f"microversion={chosen}" if chosen and response.status_code < 400 else ""
        response["Content-Security-Policy"] = PAGE_POLICY
        context = {
            "name": view.get_view_name(),
            "description": mark_code(view.get_view_description()),
            "request": request,
            "caller": request.auth,
            "response": response,
            "headers": sorted(response.items()),
            "body": highlight(data, host=request.get_host(), query=query),
            "message": first_message(data) if response.status_code >= 400 else "",
            "next_page": next_page(data),
            "forms": list(list_forms(view, request)),
            "collections": list_collections(settings.ROOT_URLCONF),
            "query": query,
            "microversion": request.microversion,
            "microversions": [
                Microversion(MAX.major, minor) for minor in range(MAX.minor, MIN.minor - 1, -1)
            ],
            "login_url": settings.LOGIN_URL,
        }
        return loader.render_to_string(self.template, context, request=request._request)


def first_message(data: Any) -> str:
    """The sentence of a fault."""
    faults = [fault for fault in data.values() if isinstance(fault, dict)] if data else []
    return str(faults[0].get("message", "")) if faults else ""


def next_page(data: Any) -> str:
    """The address behind `volumes_links`, if there is a next page."""
    for name, links in data.items() if isinstance(data, dict) else ():
        if name.endswith("_links"):
            for link in links:
                if link["rel"] == "next":
                    return str(link["href"])
    return ""


def list_forms(view: Any, request: Any) -> Iterator[RequestForm]:
    """What this caller may send to the view's own address and, of a resource, to its actions."""
    if request.auth is None:
        return
    if actions := list_actions(view, request):
        yield RequestForm("Action", "POST", request.path, actions)
        return
    for method, title in WRITING_METHODS.items():
        if method in view.allowed_methods and may_send(view, request, method):
            body = view.bodies.get(method)
            examples = [Example("", show_example(body.example_document()))] if body else []
            yield RequestForm(title, method, request.path, examples)
    address = f"{request.path}/action"
    try:
        match = resolve(f"{request.path_info}/action")
    except Resolver404:
        return
    if match.kwargs != view.kwargs:
        return  # a list: the address would be that of a resource called "detail"
    route: Any = match.func
    action_view = route.cls(**route.initkwargs)
    action_view.kwargs = match.kwargs
    if actions := list_actions(action_view, request):
        yield RequestForm("Action", "POST", address, actions)


def list_actions(view: Any, request: Any) -> list[Example]:
    return [
        Example(action.name, show_example(action.example_document()))
        for action in getattr(view, "actions", ())
        if action.exists_at(request.microversion)
        and may_send(view, request, "POST", policy=action.policy)
    ]


def may_send(view: Any, request: Any, method: str, *, policy: str | None = None) -> bool:
    """Whether the permissions of the view would let this caller send this method."""
    probe = copy.copy(view)
    if policy is not None:
        probe.policies = {method: policy}
    asked = clone_request(request, method)
    return all(permission.has_permission(asked, probe) for permission in probe.get_permissions())


def show_example(document: Any) -> str:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


# Of the Compute API what it is for; the rest is what clients ask besides.
SHOWN_ROOTS = ("/v3/", "/compute/v2.1/servers")


@cache
def list_collections(urlconf: str) -> tuple[Collection, ...]:
    """Every address of storage and of servers that can be read and has no variable part; `/v3`
    first."""
    found = {
        address: Collection(view.cls(**view.initkwargs).get_view_name(), address)
        for address, view in walk_routes(get_resolver(urlconf), "/")
        if address.startswith(SHOWN_ROOTS) and hasattr(getattr(view, "cls", None), "get")
    }
    return tuple(found[address] for address in sorted(found, key=lambda it: (it[:4] != "/v3/", it)))


def walk_routes(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        address = prefix + str(pattern.pattern)
        if "<" in address or "^" in address:
            continue
        if isinstance(pattern, URLPattern):
            yield address, pattern.callback
        else:
            yield from walk_routes(pattern, address)


def mark_code(text: str) -> SafeString:
    """Show what stands between backticks in a docstring as code."""
    return mark_safe(re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)))  # noqa: S308 - escaped

"""The service catalog: where clients find the block storage API and this one.

Block storage stands in it twice, under `block-storage` and `volumev3` with the same URL, since
clients disagree on the name and each looks for only one of them.
"""

from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.http import HttpRequest
from rest_framework.request import Request

from storage_project.api.links import base_url
from storage_project.config import configuration

REGION = "RegionOne"
INTERFACES = ("public", "internal", "admin")


@dataclass(frozen=True, slots=True)
class Service:
    """One entry of the catalog; `path` follows the base URL, `scoped` ones end in the project."""

    type: str
    name: str
    description: str
    path: str
    scoped: bool

    @property
    def id(self) -> str:
        return uuid5(NAMESPACE_URL, f"khoi/service/{self.type}").hex

    def endpoint_id(self, interface: str) -> str:
        return uuid5(NAMESPACE_URL, f"khoi/endpoint/{self.type}/{interface}").hex

    def url(self, base: str, project_id: str | None) -> str:
        """The URL for one project; without one, as a template or, if it needs none, plain."""
        return f"{base}{self.path}/{project_id}" if self.scoped else base + self.path


BLOCK_STORAGE_AND_IDENTITY = (
    Service("block-storage", "cinder", "Block storage", "/v3", scoped=True),
    Service("volumev3", "cinder", "Block storage, by its older name", "/v3", scoped=True),
    Service("identity", "keystone", "Identity", "/identity/v3", scoped=False),
)
# Only where there are servers to attach to: clients take it for a whole Nova.
COMPUTE = Service("compute", "nova", "Servers to attach volumes to", "/compute/v2.1", scoped=False)


def services() -> tuple[Service, ...]:
    """What is offered here, by the configuration."""
    if configuration().hypervisors:
        return (*BLOCK_STORAGE_AND_IDENTITY, COMPUTE)
    return BLOCK_STORAGE_AND_IDENTITY


def identity_url(request: Request | HttpRequest) -> str:
    return f"{base_url(request)}/identity/v3"


def build_catalog(
    request: Request | HttpRequest, *, project_id: str | None
) -> list[dict[str, Any]]:
    """Return the catalog as a token shows it; unscoped, only what needs no project."""
    base = base_url(request)
    return [
        {
            "id": service.id,
            "type": service.type,
            "name": service.name,
            "endpoints": [
                {
                    "id": service.endpoint_id(interface),
                    "interface": interface,
                    "region": REGION,
                    "region_id": REGION,
                    "url": service.url(base, project_id),
                }
                for interface in INTERFACES
            ],
        }
        for service in services()
        if project_id is not None or not service.scoped
    ]

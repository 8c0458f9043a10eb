"""What a client asks first: which versions are spoken here, and where. Needs no credentials."""

from typing import Any

from rest_framework.response import Response

from storage_project.api.links import base_url
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import MAX, MIN
from storage_project.api.views import ResourceView

# When the newest microversion that we speak became part of the API.
UPDATED = "2024-01-24T00:00:00Z"
MEDIA_TYPES = [
    {"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}
]
# Parts of the API that were optional once; clients still probe for them by alias.
EXTENSIONS = {
    "OS-SCH-HNT": ("SchedulerHints", "Pass arbitrary key/value pairs to the scheduler."),
    "os-admin-actions": ("AdminActions", "Enable admin actions."),
    "os-availability-zone": ("AvailabilityZones", "Describe Availability Zones."),
    "os-extended-services": ("ExtendedServices", "Extended services support."),
    "os-quota-class-sets": ("QuotaClasses", "Quota classes management support."),
    "os-quota-sets": ("Quotas", "Quota management support."),
    "os-services": ("Services", "Services support."),
    "os-types-extra-specs": ("TypesExtraSpecs", "Type extra specs support."),
    "os-types-manage": ("TypesManage", "Types manage support."),
    "os-volume-actions": ("VolumeActions", "Enable volume actions."),
    "os-vol-host-attr": ("VolumeHostAttribute", "Expose host as an attribute of a volume."),
    "os-vol-tenant-attr": ("VolumeTenantAttribute", "Expose the project_id of a volume."),
    "scheduler-stats": ("SchedulerStats", "Scheduler stats support."),
}


def describe_versions(request: ResourceRequest) -> dict[str, Any]:
    """The version document; its address is the one by which the client reached us."""
    return {
        "versions": [
            {
                "id": "v3.0",
                "status": "CURRENT",
                "version": str(MAX),
                "min_version": str(MIN),
                "updated": UPDATED,
                "links": [{"rel": "self", "href": f"{base_url(request)}/v3/"}],
                "media-types": MEDIA_TYPES,
            }
        ]
    }


class VersionDocument(ResourceView):
    """The version of the API at this address, with the microversions that it speaks."""

    name = "Block storage"
    authentication_classes = ()
    permission_classes = ()
    status = 200

    def get(self, request: ResourceRequest) -> Response:
        return Response(describe_versions(request), status=self.status)


class VersionList(VersionDocument):
    """The versions of the API. 300 Multiple Choices, as clients expect, although there is one."""

    status = 300


class ExtensionList(ResourceView):
    """The optional parts of the API that are there."""

    policies = {"GET": "extension:list"}

    def get(self, request: ResourceRequest) -> Response:
        return Response({"extensions": [describe_extension(alias) for alias in EXTENSIONS]})


def describe_extension(alias: str) -> dict[str, Any]:
    name, description = EXTENSIONS[alias]
    return {
        "alias": alias,
        "name": name,
        "description": description,
        "updated": UPDATED,
        "links": [],
    }

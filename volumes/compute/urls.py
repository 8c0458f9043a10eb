"""The addresses of the Compute API."""

from django.urls import include, path

from volumes.compute.discovery import VersionsView, VersionView
from volumes.compute.flavors import (
    FlavorExtraSpecsView,
    FlavorsDetailView,
    FlavorsView,
    FlavorView,
)
from volumes.compute.limits import (
    LimitsView,
    QuotaDefaultsView,
    QuotasDetailView,
    QuotasView,
)
from volumes.compute.servers import ServersDetailView, ServersView, ServerView
from volumes.compute.volume_attachments import VolumeAttachmentsView, VolumeAttachmentView
from volumes.compute.zones import ZonesView

ATTACHMENTS = "servers/<str:server_id>/os-volume_attachments"

resources = [
    path("servers", ServersView.as_view()),
    path("servers/detail", ServersDetailView.as_view()),
    path("servers/<str:server_id>", ServerView.as_view()),
    path(ATTACHMENTS, VolumeAttachmentsView.as_view()),
    path(f"{ATTACHMENTS}/<str:volume_id>", VolumeAttachmentView.as_view()),
    path("flavors", FlavorsView.as_view()),
    path("flavors/detail", FlavorsDetailView.as_view()),
    path("flavors/<str:flavor_id>", FlavorView.as_view()),
    path("flavors/<str:flavor_id>/os-extra_specs", FlavorExtraSpecsView.as_view()),
    path("limits", LimitsView.as_view()),
    path("os-quota-sets/<str:quota_project_id>", QuotasView.as_view()),
    path("os-quota-sets/<str:quota_project_id>/defaults", QuotaDefaultsView.as_view()),
    path("os-quota-sets/<str:quota_project_id>/detail", QuotasDetailView.as_view()),
    path("os-availability-zone", ZonesView.as_view()),
    path("os-availability-zone/detail", ZonesView.as_view()),
]
urlpatterns = [
    path("compute", VersionsView.as_view()),
    path("compute/v2.1", VersionView.as_view()),
    path("compute/v2.1/", include(resources)),
]

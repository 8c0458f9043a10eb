"""The addresses of the Compute API."""

from django.urls import include, path, re_path

from volumes.compute.discovery import VersionsView, VersionView
from volumes.compute.servers import ServersDetailView, ServersView, ServerView
from volumes.compute.volume_attachments import VolumeAttachmentsView, VolumeAttachmentView

ATTACHMENTS = "servers/<str:server_id>/os-volume_attachments"

resources = [
    path("servers", ServersView.as_view()),
    path("servers/detail", ServersDetailView.as_view()),
    path("servers/<str:server_id>", ServerView.as_view()),
    path(ATTACHMENTS, VolumeAttachmentsView.as_view()),
    path(f"{ATTACHMENTS}/<str:volume_id>", VolumeAttachmentView.as_view()),
]
urlpatterns = [
    re_path("^compute/?$", VersionsView.as_view()),
    re_path("^compute/v2.1/?$", VersionView.as_view()),
    path("compute/v2.1/", include(resources)),
]

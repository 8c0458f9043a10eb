"""Discovery, documentation and health, which every deployment has at the same addresses."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularSwaggerSplitView

from storage_project.api.discovery import ExtensionList, VersionDocument, VersionList
from storage_project.api.health import show_health
from storage_project.api.schema import show_schema

# A project's own root. Only what looks like the id of a project: a misspelt resource is a 404.
PROJECT_ROOT = r"^v3/(?P<url_project_id>[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
# What stands before the resources of a project.
PROJECT = r"^v3/(?P<url_project_id>[0-9a-zA-Z_-]{1,64})/"

urlpatterns = [
    path("", VersionList.as_view()),
    path("v3", VersionDocument.as_view()),
    re_path(PROJECT_ROOT, VersionDocument.as_view()),
    path("v3/extensions", ExtensionList.as_view()),
    re_path(PROJECT + "extensions$", ExtensionList.as_view()),
    path("healthz", show_health),
    path("openapi.json", show_schema, name="openapi"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="openapi"), name="docs"),
]

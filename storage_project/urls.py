"""Every address, from the root down."""

from django.contrib import admin
from django.urls import include, path, re_path

from storage_project.api.faults import bad_request, page_not_found, server_error
from storage_project.api.urls import PROJECT

resources = [
    path("", include("backups.urls")),
    path("", include("volumes.urls")),
    path("", include("storage_project.operations.urls")),
]
urlpatterns = [
    path("", include("storage_project.api.urls")),
    path("", include("storage_project.identity.urls")),
    path("", include("volumes.compute.urls")),
    path("admin/", admin.site.urls),
    # Both forms, with and without the project; the names of resources win over those of projects.
    path("v3/", include(resources)),
    re_path(PROJECT, include(resources)),
]

handler400 = bad_request
handler404 = page_not_found
handler500 = server_error

"""Every address, from the root down."""

from django.contrib import admin
from django.urls import include, path

from storage_project.api.faults import bad_request, page_not_found, server_error

urlpatterns = [
    path("", include("storage_project.api.urls")),
    path("", include("storage_project.identity.urls")),
    path("admin/", admin.site.urls),
]

handler400 = bad_request
handler404 = page_not_found
handler500 = server_error

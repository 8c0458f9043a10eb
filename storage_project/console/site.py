"""The administration pages as Khoi's: their name, their links, and passwords by our rules."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from storage_project.console.flower import flower_url
from storage_project.identity.models import User
from storage_project.identity.services import update_user


class PasswordForm(AdminPasswordChangeForm):
    """Changes the password as the API does: the tokens of the user end with the old one."""

    user: User

    def save(self, commit: bool = True) -> User:
        return update_user(user=self.user, password=self.cleaned_data["new_password1"])


class Console(admin.AdminSite):
    site_title = "Khoi"
    site_header = "Khoi"
    index_title = "Block storage"
    site_url = "/v3/volumes/detail"

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return super().each_context(request) | {"flower_url": flower_url(request)}

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """In the order of INSTALLED_APPS: what people come for first, what it stands on last."""
        labels = [config.label for config in apps.get_app_configs()]
        listed = super().get_app_list(request, app_label)
        return sorted(listed, key=lambda app: labels.index(app["app_label"]))

    def password_change(  # type: ignore[override]  # the stubs promise more than Django uses
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        view = PasswordChangeView.as_view(
            form_class=PasswordForm,
            success_url=reverse("admin:password_change_done"),
            extra_context=self.each_context(request) | (extra_context or {}),
        )
        return view(request)

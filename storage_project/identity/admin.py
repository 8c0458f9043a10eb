"""Users, projects, roles and tokens in the administration pages. Secrets are never shown."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    AdminUserCreationForm,
    UserChangeForm,
)
from django.db.models import QuerySet
from django.http import HttpRequest

from storage_project.identity.models import Project, Role, RoleAssignment, Token, User
from storage_project.identity.policy import ROLES
from storage_project.identity.services import revoke_token, revoke_tokens


class ChangePasswordForm(AdminPasswordChangeForm):
    """Ends all tokens of the user with the old password."""

    def save(self, commit: bool = True) -> User:
        user: User = super().save(commit)
        revoke_tokens(user=user)
        return user


class AssignmentInline(admin.TabularInline):
    model = RoleAssignment
    extra = 0
    autocomplete_fields = ("user", "project")


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    form = UserChangeForm
    add_form = AdminUserCreationForm
    change_password_form = ChangePasswordForm
    list_display = ("name", "email", "enabled", "is_staff", "default_project", "last_login")
    list_filter = ("enabled", "is_staff")
    list_select_related = ("default_project",)
    search_fields = ("name", "email", "id")
    ordering = ("name",)
    filter_horizontal = ()
    autocomplete_fields = ("default_project",)
    readonly_fields = ("id", "last_login")
    fieldsets = (
        (None, {"fields": ("name", "password", "enabled", "is_staff")}),
        ("About", {"fields": ("email", "description", "default_project", "id", "last_login")}),
    )
    add_fieldsets = (
        (None, {"fields": ("name", "usable_password", "password1", "password2", "is_staff")}),
    )
    inlines = (AssignmentInline,)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not obj.enabled:
            revoke_tokens(user=obj)


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin):
    list_display = ("name", "description", "enabled", "id")
    list_filter = ("enabled",)
    search_fields = ("name", "id")
    readonly_fields = ("id",)
    inlines = (AssignmentInline,)

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not obj.enabled:
            revoke_tokens(project=obj)


@admin.register(Role)
class RoleAdmin(admin.ModelAdmin):
    """The roles of the policy keep their names; there is no deleting them."""

    list_display = ("name", "description")
    search_fields = ("name",)
    readonly_fields = ("id",)

    def get_readonly_fields(self, request: HttpRequest, obj: Role | None = None) -> Any:
        return ("id", "name") if obj and obj.name in ROLES else ("id",)

    def has_delete_permission(self, request: HttpRequest, obj: Role | None = None) -> bool:
        return obj is not None and obj.name not in ROLES


@admin.register(Token)
class TokenAdmin(admin.ModelAdmin):
    """What is signed in now. Tokens are issued by the API and may only be ended here."""

    list_display = ("user", "project", "issued_at", "expires_at", "revoked_at", "audit_id")
    list_filter = ("project",)
    list_select_related = ("user", "project")
    search_fields = ("user__name", "user__id")
    date_hierarchy = "issued_at"
    fields = ("user", "project", "methods", "audit_ids", "issued_at", "expires_at", "revoked_at")
    actions = ("revoke",)

    @admin.display(description="audit id")
    def audit_id(self, token: Token) -> str:
        return str(token)

    @admin.action(description="Revoke")
    def revoke(self, request: HttpRequest, tokens: QuerySet[Token]) -> None:
        for token in tokens:
            revoke_token(token=token)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Token | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Token | None = None) -> bool:
        return False

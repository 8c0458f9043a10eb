"""The addresses of Identity v3 and of the pages to sign in and out."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from storage_project.identity.api.catalog import (
    CatalogView,
    DomainsView,
    EndpointsView,
    RegionsView,
    ServicesView,
)
from storage_project.identity.api.discovery import VersionsView, VersionView
from storage_project.identity.api.projects import (
    OwnProjectsView,
    ProjectsView,
    ProjectView,
    UserProjectsView,
)
from storage_project.identity.api.roles import (
    AssignmentsView,
    HeldRolesView,
    HeldRoleView,
    RolesView,
    RoleView,
)
from storage_project.identity.api.tokens import TokensView
from storage_project.identity.api.users import PasswordView, UsersView, UserView
from storage_project.identity.pages import ChooseProject, SignInPage

HELD_ROLES = "identity/v3/projects/<str:project_id>/users/<str:user_id>/roles"

urlpatterns = [
    path("login/", SignInPage.as_view(), name="sign-in"),
    path("login/project/", ChooseProject.as_view(), name="choose-project"),
    path("logout/", LogoutView.as_view(next_page="sign-in"), name="sign-out"),
    path("identity", VersionsView.as_view()),
    path("identity/v3", VersionView.as_view()),
    path("identity/v3/auth/tokens", TokensView.as_view()),
    path("identity/v3/auth/catalog", CatalogView.as_view()),
    path("identity/v3/auth/projects", OwnProjectsView.as_view()),
    path("identity/v3/projects", ProjectsView.as_view()),
    path("identity/v3/projects/<str:project_id>", ProjectView.as_view()),
    path("identity/v3/users", UsersView.as_view()),
    path("identity/v3/users/<str:user_id>", UserView.as_view()),
    path("identity/v3/users/<str:user_id>/password", PasswordView.as_view()),
    path("identity/v3/users/<str:user_id>/projects", UserProjectsView.as_view()),
    path("identity/v3/roles", RolesView.as_view()),
    path("identity/v3/roles/<str:role_id>", RoleView.as_view()),
    path(HELD_ROLES, HeldRolesView.as_view()),
    path(f"{HELD_ROLES}/<str:role_id>", HeldRoleView.as_view()),
    path("identity/v3/role_assignments", AssignmentsView.as_view()),
    path("identity/v3/domains", DomainsView.as_view()),
    path("identity/v3/domains/<str:entry_id>", DomainsView.as_view()),
    path("identity/v3/regions", RegionsView.as_view()),
    path("identity/v3/regions/<str:entry_id>", RegionsView.as_view()),
    path("identity/v3/services", ServicesView.as_view()),
    path("identity/v3/services/<str:entry_id>", ServicesView.as_view()),
    path("identity/v3/endpoints", EndpointsView.as_view()),
    path("identity/v3/endpoints/<str:entry_id>", EndpointsView.as_view()),
]

"""Roles, and who holds them where."""

from rest_framework.response import Response

from storage_project.api.requests import ResourceRequest
from storage_project.identity import selectors, services
from storage_project.identity.api.bodies import CreateRole, UpdateRole
from storage_project.identity.api.lists import AssignmentFilter, RoleFilter, paginate_by_name
from storage_project.identity.api.representations import (
    AssignmentRepresentation,
    NamedAssignmentRepresentation,
    RoleRepresentation,
)
from storage_project.identity.api.views import IdentityView

# Keystone takes `?include_names` without a value for yes.
NO = ("0", "false", "no")


class RolesView(IdentityView):
    policies = {"GET": "identity:list_roles", "POST": "identity:create_role"}
    bodies = {"POST": CreateRole}
    answers = {"GET": [RoleRepresentation], "POST": RoleRepresentation}

    def get(self, request: ResourceRequest) -> Response:
        roles = RoleFilter.apply(selectors.list_roles(), request)
        return self.answer(paginate_by_name(roles, request))

    def post(self, request: ResourceRequest) -> Response:
        return self.answer(services.create_role(**self.read(request)), status=201)


class RoleView(IdentityView):
    policies = {
        "GET": "identity:get_role",
        "PATCH": "identity:update_role",
        "DELETE": "identity:delete_role",
    }
    bodies = {"PATCH": UpdateRole}
    answers = {"GET": RoleRepresentation, "PATCH": RoleRepresentation}

    def get(self, request: ResourceRequest, role_id: str) -> Response:
        return self.answer(selectors.get_role(role_id))

    def patch(self, request: ResourceRequest, role_id: str) -> Response:
        role = selectors.get_role(role_id)
        return self.answer(services.update_role(role=role, **self.read(request)))

    def delete(self, request: ResourceRequest, role_id: str) -> Response:
        services.delete_role(role=selectors.get_role(role_id))
        return Response(status=204)


class HeldRolesView(IdentityView):
    """The roles that one user holds on one project."""

    policies = {"GET": "identity:list_assignments"}
    answers = {"GET": [RoleRepresentation]}

    def get(self, request: ResourceRequest, project_id: str, user_id: str) -> Response:
        user = selectors.get_user(request.auth, user_id)
        project = selectors.get_project(request.auth, project_id)
        roles = selectors.list_held_roles(user_id=user.pk, project_id=project.pk)
        return self.answer(paginate_by_name(roles, request))


class HeldRoleView(IdentityView):
    """One role of one user on one project: whether it is held, give it, take it."""

    policies = {
        "GET": "identity:list_assignments",
        "PUT": "identity:grant_role",
        "DELETE": "identity:withdraw_role",
    }

    def get(self, request: ResourceRequest, **ids: str) -> Response:
        selectors.get_assignment(request.auth, **ids)
        return Response(status=204)

    def put(
        self, request: ResourceRequest, project_id: str, user_id: str, role_id: str
    ) -> Response:
        services.grant_role(
            user=selectors.get_user(request.auth, user_id),
            project=selectors.get_project(request.auth, project_id),
            role=selectors.get_role(role_id),
        )
        return Response(status=204)

    def delete(self, request: ResourceRequest, **ids: str) -> Response:
        services.withdraw_role(assignment=selectors.get_assignment(request.auth, **ids))
        return Response(status=204)


class AssignmentsView(IdentityView):
    """All assignments that the caller may know of; `include_names` adds the names to the ids."""

    policies = {"GET": "identity:list_assignments"}
    answers = {"GET": [NamedAssignmentRepresentation]}

    def get(self, request: ResourceRequest) -> Response:
        assignments = AssignmentFilter.apply(selectors.visible_assignments(request.auth), request)
        wants_names = request.query_params.get("include_names", "0").lower() not in NO
        shown = NamedAssignmentRepresentation if wants_names else AssignmentRepresentation
        return Response(shown.show_list(assignments, request))

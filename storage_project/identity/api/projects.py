"""Projects."""

from rest_framework.response import Response

from storage_project.api.requests import ResourceRequest
from storage_project.identity import selectors, services
from storage_project.identity.api.bodies import CreateProject, UpdateProject
from storage_project.identity.api.lists import ProjectFilter, paginate_by_name
from storage_project.identity.api.representations import ProjectRepresentation
from storage_project.identity.api.views import IdentityView


class ProjectsView(IdentityView):
    policies = {"GET": "identity:list_projects", "POST": "identity:create_project"}
    bodies = {"POST": CreateProject}
    answers = {"GET": [ProjectRepresentation], "POST": ProjectRepresentation}

    def get(self, request: ResourceRequest) -> Response:
        projects = ProjectFilter.apply(selectors.visible_projects(request.auth), request)
        return self.answer(paginate_by_name(projects, request))

    def post(self, request: ResourceRequest) -> Response:
        return self.answer(services.create_project(**self.read(request)), status=201)


class ProjectView(IdentityView):
    policies = {
        "GET": "identity:get_project",
        "PATCH": "identity:update_project",
        "DELETE": "identity:delete_project",
    }
    bodies = {"PATCH": UpdateProject}
    answers = {"GET": ProjectRepresentation, "PATCH": ProjectRepresentation}

    def get(self, request: ResourceRequest, project_id: str) -> Response:
        return self.answer(selectors.get_project(request.auth, project_id))

    def patch(self, request: ResourceRequest, project_id: str) -> Response:
        project = selectors.get_project(request.auth, project_id)
        return self.answer(services.update_project(project=project, **self.read(request)))

    def delete(self, request: ResourceRequest, project_id: str) -> Response:
        services.delete_project(project=selectors.get_project(request.auth, project_id))
        return Response(status=204)


class UserProjectsView(IdentityView):
    """Where a user may get a token for."""

    policies = {"GET": "identity:list_user_projects"}
    answers = {"GET": [ProjectRepresentation]}

    def get(self, request: ResourceRequest, user_id: str | None = None) -> Response:
        user = selectors.get_user(request.auth, user_id or request.auth.user_id)
        projects = ProjectFilter.apply(selectors.list_user_projects(user), request)
        return self.answer(paginate_by_name(projects, request))


class OwnProjectsView(UserProjectsView):
    """Where the caller may get a token for."""

    policies = {"GET": "identity:list_own_projects"}

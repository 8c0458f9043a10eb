"""Users and their passwords."""

from rest_framework.response import Response

from storage_project.api.requests import ResourceRequest
from storage_project.identity import selectors, services
from storage_project.identity.api.bodies import ChangePassword, CreateUser, UpdateUser
from storage_project.identity.api.lists import UserFilter, paginate_by_name
from storage_project.identity.api.representations import UserRepresentation
from storage_project.identity.api.views import IdentityView


class UsersView(IdentityView):
    policies = {"GET": "identity:list_users", "POST": "identity:create_user"}
    bodies = {"POST": CreateUser}
    answers = {"GET": [UserRepresentation], "POST": UserRepresentation}

    def get(self, request: ResourceRequest) -> Response:
        users = UserFilter.apply(selectors.visible_users(request.auth), request)
        return self.answer(paginate_by_name(users, request))

    def post(self, request: ResourceRequest) -> Response:
        return self.answer(services.create_user(**self.read(request)), status=201)


class UserView(IdentityView):
    policies = {
        "GET": "identity:get_user",
        "PATCH": "identity:update_user",
        "DELETE": "identity:delete_user",
    }
    bodies = {"PATCH": UpdateUser}
    answers = {"GET": UserRepresentation, "PATCH": UserRepresentation}

    def get(self, request: ResourceRequest, user_id: str) -> Response:
        return self.answer(selectors.get_user(request.auth, user_id))

    def patch(self, request: ResourceRequest, user_id: str) -> Response:
        user = selectors.get_user(request.auth, user_id)
        return self.answer(services.update_user(user=user, **self.read(request)))

    def delete(self, request: ResourceRequest, user_id: str) -> Response:
        services.delete_user(user=selectors.get_user(request.auth, user_id))
        return Response(status=204)


class PasswordView(IdentityView):
    """Changing one's own password; an administrator sets another's with PATCH on the user."""

    policies = {"POST": "identity:change_password"}
    bodies = {"POST": ChangePassword}

    def post(self, request: ResourceRequest, user_id: str) -> Response:
        values = self.read(request)
        services.change_password(
            user=selectors.get_user(request.auth, user_id),
            original=values["original_password"],
            password=values["password"],
            address=request.META["REMOTE_ADDR"],
        )
        return Response(status=204)

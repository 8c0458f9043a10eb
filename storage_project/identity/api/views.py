"""The base of the Identity v3 endpoints."""

from rest_framework.request import Request

from storage_project.api.views import ResourceView
from storage_project.identity.authentication import TokenAuthentication


class IdentityView(ResourceView):
    """Answers errors in Keystone's envelope."""

    fault_style = "identity"

    def get_authenticate_header(self, request: Request) -> str:
        """REST framework makes a refused sign-in a 401 only where there is such a header."""
        return TokenAuthentication().authenticate_header(request)

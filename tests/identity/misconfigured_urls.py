"""Addresses whose views the start-up check must complain about."""

from django.urls import include, path
from rest_framework.views import APIView

from storage_project.api.actions import Action, ActionView
from storage_project.api.views import ResourceView


class Good(ResourceView):
    policies = {"GET": "volume:list"}

    def get(self) -> None: ...


class Forgetful(ResourceView):
    policies = {"GET": "volume:list"}

    def get(self) -> None: ...

    def post(self) -> None: ...


class Misspelt(ResourceView):
    policies = {"GET": "volume:lits"}

    def get(self) -> None: ...


class BadAction(ActionView):
    actions = (
        Action("good", handler=print, policy="volume:extend"),
        Action("bad", handler=print, policy="volume:explode"),
    )


class Foreign(APIView):
    def get(self) -> None: ...


class Open(APIView):
    permission_classes = ()

    def get(self) -> None: ...


urlpatterns = [
    path("deep/", include([path("good", Good.as_view()), path("bad", Forgetful.as_view())])),
    path("misspelt", Misspelt.as_view()),
    path("misspelt-again", Misspelt.as_view()),
    path("action", BadAction.as_view()),
    path("foreign", Foreign.as_view()),
    path("open", Open.as_view()),
]

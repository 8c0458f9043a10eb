"""`/messages`: why something did not work, for the people whose request it was."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.response import Response

from storage_project.api.filters import IdFilter, ListFilter, TextFilter, wants_all_projects
from storage_project.api.gates import admin_only
from storage_project.api.paging import paginate
from storage_project.api.representation import LinksField, Representation
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import Microversion
from storage_project.api.views import ResourceView
from storage_project.operations import selectors, services
from storage_project.operations.models import Message

SINCE = Microversion(3, 3)
SORTABLE = {
    "event_id": "code",
    "message_level": "level",
    "resource_type": "resource_type",
    "resource_uuid": "resource_id",
    "request_id": "request_id",
}


class EventFilter(TextFilter):
    """An event id is made of two columns: VOLUME_NO_BACKEND."""

    def filter(self, qs: "QuerySet[Message]", value: str) -> "QuerySet[Message]":
        resource_type, _, code = value.lower().partition("_")
        return qs.filter(resource_type=resource_type, code=code) if value else qs


class MessageFilter(ListFilter):
    event_id = EventFilter()
    message_level = TextFilter("level", lookup_expr="iexact")
    request_id = TextFilter()
    resource_type = TextFilter(lookup_expr="iexact")
    resource_uuid = IdFilter("resource_id")
    project_id = admin_only(TextFilter())


class MessageRepresentation(Representation):
    """One sentence about one resource; `event_id` says from a fixed list what happened."""

    envelope, plural = "message", "messages"

    id = serializers.UUIDField()
    event_id = serializers.SerializerMethodField()
    message_level = serializers.CharField(source="level")
    user_message = serializers.CharField(source="sentence")
    request_id = serializers.CharField()
    resource_type = serializers.SerializerMethodField()
    resource_uuid = serializers.UUIDField(source="resource_id")
    created_at = serializers.DateTimeField()
    guaranteed_until = serializers.DateTimeField(source="expires_at")
    links = LinksField("messages")

    @classmethod
    def show(cls, row: Message, request: ResourceRequest) -> dict[str, Any]:
        """Under the name of the list, too: there openstacksdk looks for a single message."""
        shown = super().show(row, request)
        return {**shown, cls.plural: shown[cls.envelope]}

    def get_event_id(self, message: Message) -> str:
        return f"{message.resource_type}_{message.code}".upper()

    def get_resource_type(self, message: Message) -> str:
        return message.resource_type.upper()


class MessagesView(ResourceView):
    """What the project has been told, newest first."""

    name = "Messages"
    policies = {"GET": "message:list"}
    gates = {"GET": SINCE}
    answers = {"GET": [MessageRepresentation]}

    def get(self, request: ResourceRequest) -> Response:
        messages = selectors.messages_of(request.auth, all_projects=self.wants_others(request))
        messages = MessageFilter.apply(messages, request)
        return self.answer(paginate(messages, request, sortable=SORTABLE))

    def wants_others(self, request: ResourceRequest) -> bool:
        """An administrator's client that names a project does not say all_tenants with it."""
        names_project = request.auth.is_admin and "project_id" in request.query_params
        return names_project or wants_all_projects(request)


class MessageView(ResourceView):
    """One message."""

    name = "Message"
    policies = {"GET": "message:get", "DELETE": "message:delete"}
    gates = {"GET": SINCE, "DELETE": SINCE}
    answers = {"GET": MessageRepresentation}

    def get(self, request: ResourceRequest, message_id: str) -> Response:
        return self.answer(selectors.get_message(request.auth, message_id))

    def delete(self, request: ResourceRequest, message_id: str) -> Response:
        services.delete_message(message=selectors.get_message(request.auth, message_id))
        return Response(status=204)

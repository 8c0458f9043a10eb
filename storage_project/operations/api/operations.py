"""`/operations`: every accepted request, how far it is, and how it ended."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from storage_project.api.actions import Action, ActionView
from storage_project.api.filters import IdFilter, ListFilter, TextFilter, wants_all_projects
from storage_project.api.gates import admin_only
from storage_project.api.paging import paginate
from storage_project.api.representation import LinksField, Representation
from storage_project.api.requests import ResourceRequest
from storage_project.api.views import ResourceView
from storage_project.operations import selectors, services
from storage_project.operations.models import Operation

SORTABLE = {
    "kind": "kind",
    "status": "status",
    "resource_id": "resource_id",
    "finished_at": "finished_at",
}


class OperationFilter(ListFilter):
    kind = TextFilter()
    status = TextFilter()
    step = TextFilter()
    resource_type = TextFilter()
    resource_id = IdFilter()
    request_id = TextFilter()
    user_id = TextFilter()
    project_id = TextFilter()


class ProgressRepresentation(Representation):
    """How far an operation is, and how long it will still take at this pace."""

    kind = serializers.CharField()
    phase = serializers.CharField()
    progress_bytes = serializers.IntegerField()
    total_bytes = serializers.IntegerField()
    read_bytes = serializers.SerializerMethodField()
    transferred_bytes = serializers.SerializerMethodField()
    skipped_bytes = serializers.SerializerMethodField()
    bytes_per_s = serializers.IntegerField()
    seconds_left = serializers.IntegerField()

    def get_read_bytes(self, operation: Operation) -> int | None:
        return _counted(operation, "read_bytes")

    def get_transferred_bytes(self, operation: Operation) -> int | None:
        return _counted(operation, "transferred_bytes")

    def get_skipped_bytes(self, operation: Operation) -> int | None:
        return _counted(operation, "skipped_bytes")


def _counted(operation: Operation, name: str) -> int | None:
    count: int | None = operation.counted.get(name)
    return count


class OperationRepresentation(ProgressRepresentation):
    """A request that was accepted: how far it is, and how it ended."""

    envelope, plural = "operation", "operations"

    id = serializers.UUIDField()
    status = serializers.CharField()
    step = serializers.CharField()
    resource_type = serializers.CharField()
    resource_id = serializers.UUIDField()
    request_id = serializers.CharField()
    project_id = serializers.CharField()
    user_id = serializers.CharField()
    attempts = serializers.IntegerField()
    cancel_requested = serializers.BooleanField()
    error_code = serializers.CharField()
    error = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField()
    worker = admin_only(serializers.CharField(source="owner"))
    queue = admin_only(serializers.CharField())
    links = LinksField("operations")


class EntryRepresentation(Representation):
    """A line of a timeline: the end of a go at a step, or a move of the resource's status."""

    at = serializers.DateTimeField()
    event = serializers.ChoiceField(["step", "status"])
    step = serializers.CharField()
    outcome = serializers.CharField()
    attempt = serializers.IntegerField()
    worker = admin_only(serializers.CharField())
    was = serializers.CharField()
    became = serializers.CharField()
    note = serializers.CharField()


class OperationDetailRepresentation(OperationRepresentation):
    """An operation with its timeline, and what it has found out."""

    result = serializers.SerializerMethodField()
    timeline = serializers.SerializerMethodField()

    def get_result(self, operation: Operation) -> dict[str, Any] | None:
        result: dict[str, Any] | None = operation.notes.get("result")
        return result

    @extend_schema_field(EntryRepresentation(many=True))
    def get_timeline(self, operation: Operation) -> list[dict[str, Any]]:
        return EntryRepresentation.render_many(selectors.timeline_of(operation), self.request)


class OperationsView(ResourceView):
    """What was asked for, newest first; `resource_id`, `kind` and `status` narrow it down."""

    name = "Operations"
    policies = {"GET": "operation:list"}
    answers = {"GET": [OperationRepresentation]}

    def get(self, request: ResourceRequest) -> Response:
        operations = selectors.operations_of(request.auth, all_projects=wants_all_projects(request))
        operations = OperationFilter.apply(operations, request)
        return self.answer(paginate(operations, request, sortable=SORTABLE))


class OperationView(ResourceView):
    """One operation with its timeline: what each step did, and how the status moved."""

    name = "Operation"
    policies = {"GET": "operation:get"}
    answers = {"GET": OperationDetailRepresentation}

    def get(self, request: ResourceRequest, operation_id: str) -> Response:
        return self.answer(selectors.get_operation(request.auth, operation_id))


def cancel(request: ResourceRequest, operation: Operation, body: dict[str, Any]) -> None:
    services.cancel_operation(operation=operation)


class OperationActions(ActionView):
    name = "Operation actions"
    actions = (Action("os-cancel", handler=cancel, policy="operation:cancel"),)

    def get_target(self, request: ResourceRequest, **kwargs: Any) -> Operation:
        return selectors.get_operation(request.auth, kwargs["operation_id"])

"""The addresses of operations and messages, below `v3/` and `v3/<project>/`."""

from django.urls import path

from storage_project.operations.api.messages import MessagesView, MessageView
from storage_project.operations.api.operations import (
    OperationActions,
    OperationsView,
    OperationView,
)

urlpatterns = [
    path("operations", OperationsView.as_view()),
    path("operations/<str:operation_id>", OperationView.as_view()),
    path("operations/<str:operation_id>/action", OperationActions.as_view()),
    path("messages", MessagesView.as_view()),
    path("messages/<str:message_id>", MessageView.as_view()),
]

"""`/attachments`: reserving a volume, connecting it to a host, and letting it go again."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.response import Response

from storage_project.api.actions import Action, ActionView
from storage_project.api.filters import wants_all_projects
from storage_project.api.paging import paginate
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import Microversion
from storage_project.api.views import ResourceView
from volumes import selectors
from volumes.api.attachment_bodies import CreateAttachment, UpdateAttachment
from volumes.api.attachment_filter import SORTABLE, AttachmentFilter
from volumes.api.attachment_representations import (
    AttachmentBriefRepresentation,
    AttachmentRepresentation,
)
from volumes.api.outcomes import require_no_failure
from volumes.models import Attachment
from volumes.services import attachments as services

SINCE = Microversion(3, 27)


def asked_for(request: ResourceRequest) -> "QuerySet[Attachment]":
    """The attachments that the caller may see and the query asks for."""
    attachments = selectors.attachments_of(request.auth, all_projects=wants_all_projects(request))
    return AttachmentFilter.apply(attachments, request)


class AttachmentsView(ResourceView):
    """The attachments of the project, newest first; and where volumes are reserved.

    With a connector, the answer has the connection_info; if that takes more than some seconds, a
    later GET of the attachment has it.
    """

    name = "Attachments"
    policies = {"GET": "attachment:list", "POST": "attachment:create"}
    gates = {"GET": SINCE, "POST": SINCE}
    bodies = {"POST": CreateAttachment}
    answers = {"GET": [AttachmentBriefRepresentation], "POST": AttachmentRepresentation}

    def get(self, request: ResourceRequest) -> Response:
        return self.answer(paginate(asked_for(request), request, sortable=SORTABLE))

    def post(self, request: ResourceRequest) -> Response:
        values = self.read(request)
        volume = selectors.get_volume(request.auth, values.pop("volume_id"))
        made = services.create_attachment(volume=volume, caller=request.auth, **values)
        if made.connector:
            require_no_failure("attachment.connect", made.pk)
        return self.answer(selectors.get_attachment(request.auth, made.pk))


class AttachmentsDetailView(ResourceView):
    """The attachments of the project with all that there is to know of them."""

    name = "Attachments in detail"
    policies = {"GET": "attachment:list"}
    gates = {"GET": SINCE}
    answers = {"GET": [AttachmentRepresentation]}

    def get(self, request: ResourceRequest) -> Response:
        attachments = selectors.with_connection_info(asked_for(request))
        return self.answer(paginate(attachments, request, sortable=SORTABLE))


class AttachmentView(ResourceView):
    """One attachment. A PUT connects it, as a POST with a connector does."""

    name = "Attachment"
    policies = {
        "GET": "attachment:get",
        "PUT": "attachment:update",
        "DELETE": "attachment:delete",
    }
    gates = {"GET": SINCE, "PUT": SINCE, "DELETE": SINCE}
    bodies = {"PUT": UpdateAttachment}
    answers = {
        "GET": AttachmentRepresentation,
        "PUT": AttachmentRepresentation,
        "DELETE": [AttachmentBriefRepresentation],
    }

    def get(self, request: ResourceRequest, attachment_id: str) -> Response:
        return self.answer(selectors.get_attachment(request.auth, attachment_id))

    def put(self, request: ResourceRequest, attachment_id: str) -> Response:
        values = self.read(request)
        attachment = selectors.get_attachment(request.auth, attachment_id)
        services.connect_attachment(attachment=attachment, caller=request.auth, **values)
        require_no_failure("attachment.connect", attachment.pk)
        return self.answer(selectors.get_attachment(request.auth, attachment_id))

    def delete(self, request: ResourceRequest, attachment_id: str) -> Response:
        """The answer has the attachments that the volume still has: also this one, if it takes more
        than some seconds to go."""
        attachment = selectors.get_attachment(request.auth, attachment_id)
        services.delete_attachment(attachment=attachment, caller=request.auth)
        require_no_failure("attachment.delete", attachment.pk)
        remaining = selectors.attachments_of(request.auth, all_projects=True)
        return self.answer(remaining.filter(volume=attachment.volume_id).order_by("created_at"))


def complete(request: ResourceRequest, attachment: Attachment, body: dict[str, Any]) -> None:
    services.complete_attachment(attachment=attachment)


class AttachmentActions(ActionView):
    """What can be done to an attachment."""

    name = "Attachment actions"
    actions = (
        Action(
            "os-complete",
            handler=complete,
            policy="attachment:complete",
            since="3.44",
            status=204,
        ),
    )

    def get_target(self, request: ResourceRequest, **kwargs: Any) -> Attachment:
        return selectors.get_attachment(request.auth, kwargs["attachment_id"])

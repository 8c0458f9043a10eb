"""`/servers/{id}/os-volume_attachments`: attaching volumes to a server, and detaching them."""

from rest_framework.response import Response

from storage_project.api.paging import paginate
from storage_project.api.requests import ResourceRequest
from volumes import selectors as volumes
from volumes.compute import selectors
from volumes.compute.bodies import AttachVolume
from volumes.compute.representations import VolumeAttachmentRepresentation
from volumes.compute.views import ComputeView
from volumes.services.servers import attach_to_server, detach_from_server

# As the guest has found its disks.
OLDEST_FIRST = (("created_at", "asc"), ("id", "asc"))


class VolumeAttachmentsView(ComputeView):
    """What is attached to a server; and where more is."""

    name = "Volumes of a server"
    policies = {"GET": "server:get", "POST": "server:attach"}
    bodies = {"POST": AttachVolume}
    answers = {"GET": [VolumeAttachmentRepresentation], "POST": VolumeAttachmentRepresentation}

    def get(self, request: ResourceRequest, server_id: str) -> Response:
        server = selectors.get_server(request.auth, server_id)
        attachments = selectors.attachments_of_server(request.auth, server)
        return self.answer(paginate(attachments, request, default_sort=OLDEST_FIRST))

    def post(self, request: ResourceRequest, server_id: str) -> Response:
        values = self.read(request)
        server = selectors.get_server(request.auth, server_id)
        volume = volumes.get_volume(request.auth, values["volumeId"])
        return self.answer(attach_to_server(server=server, volume=volume, caller=request.auth))


class VolumeAttachmentView(ComputeView):
    """One volume, as it is attached to a server."""

    name = "Volume of a server"
    policies = {"GET": "server:get", "DELETE": "server:detach"}
    answers = {"GET": VolumeAttachmentRepresentation}

    def get(self, request: ResourceRequest, server_id: str, volume_id: str) -> Response:
        server = selectors.get_server(request.auth, server_id)
        return self.answer(selectors.get_attachment_of_server(request.auth, server, volume_id))

    def delete(self, request: ResourceRequest, server_id: str, volume_id: str) -> Response:
        server = selectors.get_server(request.auth, server_id)
        attachment = selectors.get_attachment_of_server(request.auth, server, volume_id)
        detach_from_server(attachment=attachment, caller=request.auth)
        return Response(status=202)

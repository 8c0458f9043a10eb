"""What clients send to attach a volume to a server."""

from storage_project.api.bodies import Body
from storage_project.api.input_fields import IdField, Text


class AttachVolume(Body):
    """`device` is where the client would like the disk to be; the guest decides that."""

    envelope = "volumeAttachment"
    example = {"volumeId": "3f0e6d9c-5b7a-4f0e-9d51-0a6c2f4a7b11"}

    volumeId = IdField()  # noqa: N815 - the API's name
    device = Text(required=False, allow_null=True, allow_blank=True)

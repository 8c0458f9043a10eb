"""`/os-services`: the workers, whether they are alive, and taking them out of use."""

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.response import Response

from storage_project.api.bodies import Body
from storage_project.api.filters import ListFilter, TextFilter
from storage_project.api.gates import since
from storage_project.api.input_fields import Text
from storage_project.api.representation import Representation
from storage_project.api.requests import ResourceRequest
from storage_project.api.views import ResourceView
from volumes import selectors
from volumes.backends import BINARY as BACKEND_BINARY
from volumes.models import Service
from volumes.services import services


class ServiceFilter(ListFilter):
    host = TextFilter()
    binary = TextFilter()
    service = TextFilter("binary")


class ServiceRepresentation(Representation):
    """A worker: `status` is what the operator wants, `state` what its heartbeat says."""

    plural = "services"

    binary = serializers.CharField()
    host = serializers.CharField()
    zone = serializers.CharField(source="availability_zone")
    status = serializers.SerializerMethodField()
    state = serializers.SerializerMethodField()
    updated_at = serializers.DateTimeField(source="heartbeat_at")
    disabled_reason = serializers.SerializerMethodField()
    backend_state = since("3.49", serializers.SerializerMethodField())
    cluster = since("3.7", serializers.SerializerMethodField("get_null"))
    replication_status = since("3.7", serializers.SerializerMethodField("get_null"))
    active_backend_id = since("3.7", serializers.SerializerMethodField("get_null"))
    frozen = since("3.7", serializers.SerializerMethodField("get_false"))
    # Ours: what keeps one that is down from working, where it can say so.
    down_reason = serializers.SerializerMethodField()

    def get_status(self, service: Service) -> str:
        return "enabled" if service.enabled else "disabled"

    def get_state(self, service: Any) -> str:
        """`is_up` is what the selector adds to each row."""
        return "up" if service.is_up else "down"

    def get_backend_state(self, service: Any) -> str | None:
        """Of a backend's worker: it tells how the backend stands, or is not up."""
        return self.get_state(service) if service.binary == BACKEND_BINARY else None

    def get_disabled_reason(self, service: Service) -> str | None:
        return service.disabled_reason or None

    def get_down_reason(self, service: Service) -> str | None:
        return service.down_reason or None

    def get_null(self, service: Service) -> str | None:
        return None

    def get_false(self, service: Service) -> bool:
        return False


class ServicesView(ResourceView):
    """All workers; `host` and `binary` narrow them down."""

    name = "Services"
    policies = {"GET": "service:list"}
    answers = {"GET": [ServiceRepresentation]}

    def get(self, request: ResourceRequest) -> Response:
        return self.answer(ServiceFilter.apply(selectors.services(), request))


class NameService(Body):
    """The service that is meant. Its binary has an older name, too."""

    aliases = {"service": "binary"}
    example = {"host": "khoi@fast", "binary": "cinder-volume"}

    host = Text()
    binary = Text()


class NameServiceAndReason(NameService):
    example = {**NameService.example, "disabled_reason": "New disks"}

    disabled_reason = Text(trim_whitespace=True)


class SwitchView(ResourceView):
    """Switches a service on or off; what is off gets no new volumes, and finishes what it has."""

    policies = {"PUT": "service:update"}
    bodies = {"PUT": NameService}
    enabled: ClassVar[bool]

    def put(self, request: ResourceRequest) -> Response:
        values = self.read(request)
        service = services.set_service_enabled(
            binary=values["binary"],
            host=values["host"],
            enabled=self.enabled,
            reason=values.get("disabled_reason"),
        )
        return Response(
            {
                "host": service.host,
                "binary": service.binary,
                "service": service.binary,
                "status": "enabled" if service.enabled else "disabled",
                "disabled": not service.enabled,
                "disabled_reason": service.disabled_reason or None,
            }
        )


class EnableView(SwitchView):
    enabled = True


class DisableView(SwitchView):
    enabled = False


class DisableWithReasonView(DisableView):
    bodies = {"PUT": NameServiceAndReason}

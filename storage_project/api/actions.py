"""Actions: `POST /volumes/{id}/action` with `{"os-extend": {"new_size": 2}}`.

class VolumeActions(ActionView):
    actions = (
        Action("os-extend", handler=extend, policy="volume:extend", body=ExtendVolume),
        Action("revert", handler=revert, policy="volume:revert", body=Revert, since="3.40"),
        Action("os-force_delete", handler=force_delete, policy="volume:force_delete"),
    )

    def get_target(self, request, volume_id):
        return selectors.get_volume(project=request.auth.project_id, volume_id=volume_id)

def extend(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None: ...
"""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from rest_framework.response import Response

from storage_project.api.bodies import Body
from storage_project.api.faults import SHOWN_LENGTH, BadRequest, UnknownAddress
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import Microversion
from storage_project.api.views import ResourceView

Handler = Callable[[ResourceRequest, Any, dict[str, Any]], Any]


@dataclass(frozen=True)
class Action:
    """One action: its name in the body, who may do it, from when on, and what does it.

    Without a `body`, whatever argument a client sends is ignored (they differ in what they send
    for none). The handler's result, if any, is the answer's body. Two actions may have one name
    when their microversions, `since` up to but not including `until`, do not overlap.
    """

    name: str
    _: KW_ONLY
    handler: Handler
    policy: str
    body: type[Body] | None = None
    since: str = "3.0"
    until: str | None = None
    status: int = 202

    def exists_at(self, version: Microversion) -> bool:
        if version < Microversion.parse(self.since):
            return False
        return self.until is None or version < Microversion.parse(self.until)

    def read(self, argument: Any, request: ResourceRequest) -> dict[str, Any]:
        """The validated argument, or 400 naming the field."""
        if self.body is None:
            return {}
        return self.body.read_value(argument, request, path=self.name)

    def example_document(self) -> dict[str, Any]:
        """The action as a client would send it."""
        return {self.name: dict(self.body.example) if self.body else None}


class ActionView(ResourceView):
    """The address that takes the actions of one kind of resource.

    400 for no, two or an unknown action; 404 for one that the microversion does not have; 403, 400
    for its argument, 404 for the target, in this order.
    """

    actions: ClassVar[Sequence[Action]] = ()

    def get_target(self, request: ResourceRequest, **kwargs: Any) -> Any:
        """The resource that the address names, seen by the caller; or a fault."""
        raise NotImplementedError

    def check_permissions(self, request: ResourceRequest) -> None:  # type: ignore[override]
        """The policy is the action's, so a caller must be known and the body read before."""
        if request.auth is None:
            self.permission_denied(request)
        self.action, self.argument = self.select_action(request)
        self.policies = {"POST": self.action.policy}
        super().check_permissions(request)

    def select_action(self, request: ResourceRequest) -> tuple[Action, Any]:
        if len(request.data) != 1:
            raise BadRequest("The body must be an object with one key, the name of the action.")
        [(name, argument)] = request.data.items()
        namesakes = [action for action in self.actions if action.name == name]
        if not namesakes:
            raise BadRequest(f"There is no such action: {name[:SHOWN_LENGTH]}.")
        for action in namesakes:
            if action.exists_at(request.microversion):
                return action, argument
        raise UnknownAddress(
            f"API version {request.microversion} is not supported on the action {name}; "
            f"it needs {namesakes[0].since} or later."
        )

    def post(self, request: ResourceRequest, **kwargs: Any) -> Response:
        body = self.action.read(self.argument, request)
        target = self.get_target(request, **kwargs)
        return Response(self.action.handler(request, target, body), status=self.action.status)

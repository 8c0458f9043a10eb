"""How every resource that operations work on shows them."""

from functools import cached_property
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from storage_project.api.links import volume_url
from storage_project.api.representation import Representation


class OperatedRepresentation(Representation):
    """A resource with the address of its operations, the present one and the past ones.

    It is a key of its own, not one more of the `links`: clients take those for the addresses of
    the resource itself.
    """

    operations = serializers.SerializerMethodField()

    @cached_property
    def _operations_of(self) -> str:
        caller = self.request.auth
        # An administrator sees resources of other projects, and is to see their operations too.
        scope = "all_tenants=1&" if caller.is_admin else ""
        return f"{volume_url(self.request, caller.project_id)}/operations?{scope}resource_id="

    @extend_schema_field(serializers.URLField)
    def get_operations(self, row: Any) -> str:
        return f"{self._operations_of}{row.pk}"

"""A small resource that uses everything endpoints share: crates, which have a name and a size."""

from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.db import models
from django.http import HttpResponse
from django.urls import include, path, re_path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.response import Response

from storage_project.api.actions import Action, ActionView
from storage_project.api.bodies import Body, beside
from storage_project.api.faults import (
    Conflict,
    NotFound,
    OverLimit,
    bad_request,
    page_not_found,
    server_error,
)
from storage_project.api.filters import (
    BooleanFilter,
    IdFilter,
    ListFilter,
    MappingFilter,
    TextFilter,
    TimeFilter,
    wants_all_projects,
)
from storage_project.api.gates import admin_only, named, since, until
from storage_project.api.input_fields import (
    BooleanLike,
    IdField,
    IntegerLike,
    MetadataField,
    NameField,
    Text,
)
from storage_project.api.paging import paginate
from storage_project.api.representation import BooleanText, Constant, LinksField, Representation
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import Microversion
from storage_project.api.views import ResourceView


class Crate(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4)
    project_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255, null=True)
    size_gib = models.IntegerField(default=1)
    sealed = models.BooleanField(default=False)
    group_id = models.UUIDField(null=True)
    metadata = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "crates"

    def __str__(self) -> str:
        return str(self.id)


class CrateSummary(Representation):
    envelope = "crate"
    plural = "crates"

    id = serializers.UUIDField()
    name = serializers.CharField()
    links = LinksField("crates")


class CrateRepresentation(CrateSummary):
    """A crate in full."""

    size = serializers.IntegerField(source="size_gib")
    sealed = BooleanText()
    label = serializers.SerializerMethodField()
    group_id = since("3.13", serializers.UUIDField())
    old_name = until("3.20", serializers.CharField(source="name"))
    project_id = admin_only(named("os-crate-attr:project", serializers.CharField()))
    parent_id = since("3.13", Constant(None))
    metadata = serializers.DictField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_label(self, crate: Crate) -> str:
        return f"{crate.name}, {crate.size_gib} GiB"


class CreateCrate(Body):
    envelope = "crate"
    aliases = {"display_name": "name"}
    ignored = frozenset({"user_id"})
    example: ClassVar = {"size": 1, "name": "apples"}

    size = IntegerLike(min_value=1)
    name = NameField(required=False, allow_null=True)
    sealed = BooleanLike(default=False)
    group_id = since("3.13", IdField(required=False, allow_null=True))
    metadata = MetadataField(required=False, allow_null=True)
    hints = beside(named("OS-SCH-HNT:hints", serializers.DictField(required=False)))


class UpdateCrate(Body):
    envelope = "crate"
    example: ClassVar = {"name": "pears"}

    name = NameField(required=False, allow_null=True)
    description = Text(required=False, allow_blank=True)


class ResizeCrate(Body):
    example: ClassVar = {"new_size": 2}

    new_size = IntegerLike(min_value=1)


class CrateFilter(ListFilter):
    id = IdFilter()
    name = TextFilter()
    name_like = since("3.34", named("name~", TextFilter("name", lookup_expr="icontains")))
    sealed = BooleanFilter()
    metadata = MappingFilter()
    created_at = since("3.60", TimeFilter())


def list_crates(request: ResourceRequest) -> models.QuerySet[Crate]:
    crates = Crate.objects.all()
    if not wants_all_projects(request):
        crates = crates.filter(project_id=request.auth.project_id)
    return CrateFilter.apply(crates, request)


def get_crate(request: ResourceRequest, crate_id: str) -> Crate:
    try:
        identifier = UUID(crate_id)
    except ValueError:
        raise NotFound("Crate", crate_id) from None
    crate = Crate.objects.filter(id=identifier, project_id=request.auth.project_id).first()
    if crate is None:
        raise NotFound("Crate", crate_id)
    return crate


class CrateList(ResourceView):
    """The crates of the project."""

    policies = {"GET": "volume:list", "POST": "volume:create"}
    bodies = {"POST": CreateCrate}
    answers = {"GET": [CrateSummary], "POST": CrateRepresentation}

    def get(self, request: ResourceRequest) -> Response:
        sortable = {"name": "name", "size": "size_gib"}
        return self.answer(paginate(list_crates(request), request, sortable=sortable))

    def post(self, request: ResourceRequest) -> Response:
        values = self.read(request)
        if values["size"] > 100:
            raise OverLimit("Crates hold at most 100 GiB.")
        crate = Crate.objects.create(
            project_id=request.auth.project_id,
            name=values.get("name"),
            size_gib=values["size"],
            sealed=values["sealed"],
            group_id=values.get("group_id"),
            metadata=values.get("metadata") or {},
        )
        if crate.name == "cursed":
            raise Conflict("The crate is cursed.")
        return self.answer(crate, status=202)


class CrateDetailList(CrateList):
    answers = {"GET": [CrateRepresentation], "POST": CrateRepresentation}


class CrateDetail(ResourceView):
    """One crate."""

    policies = {"GET": "volume:get", "PUT": "volume:update", "DELETE": "volume:force_delete"}
    gates = {"PUT": Microversion(3, 5)}
    bodies = {"PUT": UpdateCrate}
    answers = {"GET": CrateRepresentation, "PUT": CrateRepresentation}

    def get(self, request: ResourceRequest, crate_id: str) -> Response:
        return self.answer(get_crate(request, crate_id))

    def put(self, request: ResourceRequest, crate_id: str) -> Response:
        crate = get_crate(request, crate_id)
        values = self.read(request)
        crate.name = values.get("name", crate.name)
        crate.save(update_fields=["name"])
        return self.answer(crate)

    def delete(self, request: ResourceRequest, crate_id: str) -> Response:
        get_crate(request, crate_id).delete()
        return Response(status=202)


def resize(request: ResourceRequest, crate: Crate, body: dict[str, Any]) -> None:
    Crate.objects.filter(pk=crate.pk).update(size_gib=body["new_size"])


def resize_sealed(request: ResourceRequest, crate: Crate, body: dict[str, Any]) -> None:
    Crate.objects.filter(pk=crate.pk).update(size_gib=body["new_size"], sealed=True)


def seal(request: ResourceRequest, crate: Crate, body: dict[str, Any]) -> dict[str, Any]:
    Crate.objects.filter(pk=crate.pk).update(sealed=True)
    return {"sealed": True}


class CrateActions(ActionView):
    """What can be done to a crate."""

    actions = (
        Action("resize", handler=resize, policy="volume:extend", body=ResizeCrate, until="3.42"),
        Action(
            "resize", handler=resize_sealed, policy="volume:extend", body=ResizeCrate, since="3.42"
        ),
        Action("seal", handler=seal, policy="volume:force_delete", since="3.40", status=200),
    )

    def get_target(self, request: ResourceRequest, **kwargs: Any) -> Crate:
        return get_crate(request, kwargs["crate_id"])


class Broken(ResourceView):
    """Fails, as a defect would."""

    policies = {"GET": "volume:list"}

    def get(self, request: ResourceRequest) -> Response:
        raise RuntimeError("secret detail")


class IdentityThing(ResourceView):
    policies = {"GET": "volume:list"}
    fault_style = "identity"

    def get(self, request: ResourceRequest, project_id: str) -> Response:
        raise NotFound("Thing", project_id)


def show_page(request: Any) -> HttpResponse:
    return HttpResponse(request.path)


crates = [
    path("crates", CrateList.as_view()),
    path("crates/detail", CrateDetailList.as_view()),
    path("crates/<str:crate_id>", CrateDetail.as_view()),
    path("crates/<str:crate_id>/action", CrateActions.as_view()),
    path("broken", Broken.as_view()),
]
urlpatterns = [
    path("", include("storage_project.api.urls")),
    path("v3/", include(crates)),
    re_path(r"^v3/(?P<url_project_id>[0-9a-zA-Z_-]{1,64})/", include(crates)),
    path("identity/things/<str:project_id>", IdentityThing.as_view()),
    path("pages/", show_page),
]
handler400 = bad_request
handler404 = page_not_found
handler500 = server_error

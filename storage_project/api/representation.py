"""What we show: a declared list of fields, rendered fast and gated by microversion and role.

    class VolumeRepresentation(Representation):
        id = serializers.UUIDField()
        size = serializers.IntegerField(source="size_gib")
        group_id = since("3.13", serializers.UUIDField())
        host = admin_only(named("os-vol-host-attr:host", serializers.CharField()))
        links = LinksField("volumes")
        replication_status = Constant(None)
        metadata = serializers.SerializerMethodField()

        def get_metadata(self, volume: Volume) -> dict[str, str]: ...

    VolumeRepresentation.render(volume, request)

REST framework's own rendering asks every field of every object what to do, 60 µs and more for a
volume. Here that is asked once per class, microversion and role; what is left per object is one
`attrgetter` and the few conversions that JSON needs.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from rest_framework import serializers

from storage_project.api.gates import gate_of, rename_fields
from storage_project.api.links import volume_url
from storage_project.api.paging import Page
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import Microversion

Getter = Callable[[Any], Any]
Field = serializers.Field[Any, Any, Any, Any]

# Attributes behind these fields are already what JSON needs.
PLAIN_FIELDS = (
    serializers.CharField,
    serializers.IntegerField,
    serializers.FloatField,
    serializers.BooleanField,
    serializers.DictField,
    serializers.JSONField,
)


def show_uuid(value: UUID | str | None) -> str | None:
    return None if value is None else str(value)


def show_time(value: datetime | None) -> str | None:
    """UTC without a zone, always with microseconds: the only form that gophercloud reads."""
    return None if value is None else value.isoformat(timespec="microseconds")[:26]


class BooleanText(serializers.BooleanField):
    """The strings "true" and "false", as `bootable` is shown."""

    def to_representation(self, value: Any) -> Any:
        return "true" if value else "false"


class Constant(serializers.Field[Any, Any, Any, Any]):
    """The same for every object: what clients read everywhere and nothing here can change."""

    def __init__(self, value: Any) -> None:
        super().__init__(read_only=True)
        self.value = value


class LinksField(serializers.ListField):
    """The self and bookmark links of a resource that lives in a collection of this name."""

    def __init__(self, collection: str, **kwargs: Any) -> None:
        super().__init__(
            child=serializers.DictField(child=serializers.CharField()), read_only=True, **kwargs
        )
        self.collection = collection

    def bind_getter(self, representation: "Representation") -> Getter:
        project_id = getattr(representation.request.auth, "project_id", None)
        root = volume_url(representation.request, project_id)
        own = f"{root}/{self.collection}/"
        bookmark = own.replace("/v3/", "/", 1)

        def show_links(row: Any) -> list[dict[str, str]]:
            name = str(row.pk)
            return [
                {"rel": "self", "href": own + name},
                {"rel": "bookmark", "href": bookmark + name},
            ]

        return show_links


class Plan(NamedTuple):
    """How to show one class of objects at one microversion to one kind of caller."""

    names: tuple[str, ...]
    # All values that are plain attributes, read with one call; always a tuple.
    read: Callable[[Any], tuple[Any, ...]]
    # Position in that tuple and what makes JSON of the value there.
    conversions: tuple[tuple[int, Getter], ...]
    # What is the same for every object.
    constants: dict[str, Any]
    # Names and makers of getters for what is computed from the whole object.
    computed: tuple[tuple[str, Callable[["Representation"], Getter]], ...]


class Representation(serializers.Serializer[Any]):
    """Output only. Declare fields; render with `render` and `render_many`, never `.data`."""

    # The names of the envelopes around one and around many: "volume", "volumes".
    envelope: ClassVar[str] = ""
    plural: ClassVar[str] = ""

    request: ResourceRequest

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        rename_fields(cls._declared_fields)

    @classmethod
    def render(cls, row: Any, request: ResourceRequest) -> dict[str, Any]:
        """One object as a dict ready for JSON."""
        return cls.renderer(request)(row)

    @classmethod
    def render_many(cls, rows: Iterable[Any], request: ResourceRequest) -> list[dict[str, Any]]:
        """Many objects; each costs some microseconds and no query of its own."""
        return [*map(cls.renderer(request), rows)]

    @classmethod
    def show(cls, row: Any, request: ResourceRequest) -> dict[str, Any]:
        """One object in its envelope: `{"volume": {…}}`."""
        return {cls.envelope: cls.render(row, request)}

    @classmethod
    def show_list(cls, rows: Iterable[Any] | Page[Any], request: ResourceRequest) -> dict[str, Any]:
        """Many in theirs, with the links of the page: `{"volumes": […], "volumes_links": […]}`."""
        shown: dict[str, Any] = {cls.plural: cls.render_many(rows, request)}
        if isinstance(rows, Page):
            if rows.links:
                shown[f"{cls.plural}_links"] = rows.links
            if rows.count is not None:
                shown["count"] = rows.count
        return shown

    @classmethod
    def renderer(cls, request: ResourceRequest) -> Callable[[Any], dict[str, Any]]:
        """The function that shows one object to the caller of this request."""
        is_admin: bool = getattr(request.auth, "is_admin", False)
        names, read, conversions, constants, computed = compile_plan(
            cls, request.microversion, is_admin
        )
        representation = cls()
        representation.request = request
        getters = [(name, bind(representation)) for name, bind in computed]

        def show(row: Any) -> dict[str, Any]:
            values = list(read(row))
            for position, convert in conversions:
                values[position] = convert(values[position])
            shown = dict(zip(names, values, strict=True))
            shown.update(constants)
            for name, getter in getters:
                shown[name] = getter(row)
            return shown

        return show


@cache
def compile_plan(cls: type[Representation], version: Microversion, is_admin: bool) -> Plan:
    """Decide once what `cls` shows at `version`; the number of plans is bounded by both."""
    attributes: list[tuple[str, str]] = []
    conversions: list[tuple[int, Getter]] = []
    constants: dict[str, Any] = {}
    computed: list[tuple[str, Callable[[Representation], Getter]]] = []
    for name, field in cls._declared_fields.items():
        if not gate_of(field).admits(version, is_admin=is_admin):
            continue
        if isinstance(field, Constant):
            constants[name] = field.value
            continue
        if bind := computed_getter(name, field):
            computed.append((name, bind))
            continue
        if convert := conversion(field):
            conversions.append((len(attributes), convert))
        attributes.append((name, field.source or name))
    names, sources = zip(*attributes, strict=True) if attributes else ((), ())
    read = read_attributes(sources)
    return Plan(names, read, tuple(conversions), constants, tuple(computed))


def read_attributes(sources: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """A function that reads these attributes as a tuple, also when there are one or none."""
    match sources:
        case ():
            return lambda row: ()
        case (source,):
            read_one = attrgetter(source)
            return lambda row: (read_one(row),)
    return attrgetter(*sources)


def conversion(field: Field) -> Getter | None:
    """What makes JSON of an attribute's value, or None when it is ready as it is."""
    if isinstance(field, serializers.UUIDField):
        return show_uuid
    if isinstance(field, serializers.DateTimeField):
        return show_time
    if isinstance(field, PLAIN_FIELDS) and not isinstance(field, BooleanText):
        return None
    to_representation = field.to_representation
    return lambda value: None if value is None else to_representation(value)


def computed_getter(name: str, field: Field) -> Callable[[Representation], Getter] | None:
    """For a field that needs the whole object: what binds its getter to a request."""
    if isinstance(field, LinksField):
        return field.bind_getter
    if isinstance(field, serializers.SerializerMethodField):
        method = field.method_name or f"get_{name}"
        return lambda representation: getattr(representation, method)
    source = field.source or name
    if isinstance(field, serializers.ListSerializer) and isinstance(field.child, Representation):
        child = type(field.child)
        return lambda representation: nested_list(child, source, representation)
    if isinstance(field, Representation):
        own = type(field)
        return lambda representation: nested(own, source, representation)
    if "." in source:
        convert = conversion(field)
        return lambda representation: dotted(source, convert)
    return None


def nested(cls: type[Representation], source: str, outer: Representation) -> Getter:
    show, read = cls.renderer(outer.request), attrgetter(source)

    def show_nested(row: Any) -> dict[str, Any] | None:
        value = read(row)
        return None if value is None else show(value)

    return show_nested


def nested_list(cls: type[Representation], source: str, outer: Representation) -> Getter:
    show, read = cls.renderer(outer.request), attrgetter(source)

    def show_nested_list(row: Any) -> list[dict[str, Any]]:
        values = read(row)
        return [*map(show, values.all() if hasattr(values, "all") else values)]

    return show_nested_list


def dotted(source: str, convert: Getter | None) -> Getter:
    """Follows "volume_type.name"; None as soon as a step is None."""
    steps = source.split(".")

    def follow(row: Any) -> Any:
        for step in steps:
            row = getattr(row, step)
            if row is None:
                return None
        return convert(row) if convert else row

    return follow

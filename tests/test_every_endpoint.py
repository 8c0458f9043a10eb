"""What holds for every endpoint, whoever adds it: who is let in, and how nonsense is answered."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.urls import resolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from storage_project.identity.models import Role
from storage_project.identity.policy import allows
from tests.accounts import Account, open_account
from tests.endpoints import Call, list_calls
from tests.factories import (
    AttachmentFactory,
    BackupFactory,
    MessageFactory,
    OperationFactory,
    RepositoryFactory,
    ScheduleFactory,
    ScheduleRunFactory,
    ServerFactory,
    SnapshotFactory,
    VolumeFactory,
    VolumeTypeFactory,
)
from volumes.compute.representations import flavor_name
from volumes.models import Server
from volumes.services.types import ensure_default_type

# The same in every process that collects the tests.
NOBODYS_ID = "5d1d6ae8-92b0-4b52-a5a6-6e0f3b3a9d10"

pytestmark = pytest.mark.django_db


def size_of(server: Server) -> str:
    """The name of a flavor that is there because this server has it."""
    return flavor_name(server.vcpus, server.memory_mib)


# What the ids in addresses stand for: something that belongs to this account. A new kind of
# resource adds a line here.
OWNED: dict[str, Callable[[Account], Any]] = {
    "volume_id": lambda owner: VolumeFactory(project_id=owner.project.pk).pk,
    "snapshot_id": lambda owner: SnapshotFactory(project_id=owner.project.pk).pk,
    "backup_id": lambda owner: BackupFactory(project_id=owner.project.pk).pk,
    "schedule_id": lambda owner: ScheduleFactory(project_id=owner.project.pk).pk,
    "run_id": lambda owner: ScheduleRunFactory().pk,
    "attachment_id": lambda owner: AttachmentFactory(project_id=owner.project.pk).pk,
    "server_id": lambda owner: ServerFactory(project_id=owner.project.pk).pk,
    "flavor_id": lambda owner: size_of(ServerFactory(project_id=owner.project.pk)),
    "operation_id": lambda owner: OperationFactory(project_id=owner.project.pk).pk,
    "message_id": lambda owner: MessageFactory(project_id=owner.project.pk).pk,
    "quota_project_id": lambda owner: owner.project.pk,
    "project_id": lambda owner: owner.project.pk,
    "user_id": lambda owner: owner.user.pk,
    # A type belongs to nobody; a private one is there for administrators alone.
    "type_id": lambda owner: VolumeTypeFactory(is_public=False).pk,
}
# Names in addresses that are nobody's secret.
COMMON: dict[str, Callable[[], Any]] = {
    "key": lambda: "purpose",
    "class_name": lambda: "default",
    "repository_id": lambda: RepositoryFactory().pk,
    "role_id": lambda: Role.objects.get_or_create(name="reader")[0].pk,
    "entry_id": lambda: "default",
}
# Writes that every user may do: signing in, out, and changing one's own password.
SELF_SERVICE = {"identity:issue_token", "identity:revoke_token", "identity:change_password"}

CALLS = list_calls()
SIGNED_IN_CALLS = [call for call in CALLS if call.policy and not allows(None, call.policy)]
WRITES = [call for call in SIGNED_IN_CALLS if call.writes]
# Lists say nothing of what they do not show; these are the calls that name somebody's resource.
NAMING = [call for call in SIGNED_IN_CALLS if not OWNED.keys().isdisjoint(call.parameters)]


def every(calls: list[Call] | tuple[Call, ...]) -> Any:
    return pytest.mark.parametrize("call", calls, ids=str)


@pytest.fixture(autouse=True)
def _default_type(db: None) -> None:
    ensure_default_type()


@pytest.fixture
def admin() -> Account:
    return open_account("admin")


@pytest.fixture
def owner() -> Account:
    return open_account("member")


def values_of(call: Call, owner: Account) -> dict[str, Any]:
    """Something real for each name in the address."""
    return {
        name: OWNED[name](owner) if name in OWNED else COMMON[name]() for name in call.parameters
    }


def send(client: APIClient, call: Call, address: str, **options: Any) -> Any:
    client.raise_request_exception = False
    body = None if call.method == "GET" else call.body
    return getattr(client, call.method.lower())(address, body, **options)


def assert_is_fault(response: Any) -> str:
    """The answer is an error in the envelope that clients read; return its sentence."""
    assert 400 <= response.status_code < 500, (response.status_code, response.content)
    [(key, fault)] = response.json().items()
    assert fault["code"] == response.status_code
    assert isinstance(fault["message"], str)
    assert fault["message"]
    assert key.isidentifier()
    return fault["message"]


def test_the_walk_finds_the_endpoints() -> None:
    routes = {call.route for call in CALLS}
    assert {"v3/snapshots", "v3/volumes/<str:volume_id>", "identity/v3/auth/tokens"} <= routes
    assert len(CALLS) > 80


@every(CALLS)
def test_with_the_project_in_front_it_is_the_same(call: Call) -> None:
    if call.route.startswith("v3/"):
        address = call.address(dict.fromkeys(call.parameters, "x"))
        scoped = address.replace("/v3/", f"/v3/{'a' * 32}/", 1)
        assert resolve(scoped).func.cls is resolve(address).func.cls  # type: ignore[attr-defined]


@every(SIGNED_IN_CALLS)
def test_nobody_is_told_to_sign_in(call: Call, owner: Account) -> None:
    client = APIClient(HTTP_OPENSTACK_API_VERSION="volume 3.71")
    client.default_format = "json"
    response = send(client, call, call.address(values_of(call, owner)))
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Keystone uri=")
    assert_is_fault(response)


@every(NAMING)
def test_what_is_another_projects_is_not_there(call: Call, owner: Account) -> None:
    """404, or 403 where the caller may not do such a thing at all."""
    stranger = open_account("member")
    values = values_of(call, owner)
    assert call.policy is not None
    allowed = allows(stranger.caller, call.policy, user_id=values.get("user_id"))
    response = send(stranger.client(), call, call.address(values))
    assert response.status_code == (404 if allowed else 403), response.content
    assert_is_fault(response)


@every(NAMING)
@pytest.mark.parametrize("name", ["7", "nothing", NOBODYS_ID, "\N{SNOWMAN}", "%2e%2e"])
def test_what_is_not_there_is_not_found(call: Call, name: str, admin: Account) -> None:
    values = values_of(call, admin) | {each: name for each in call.parameters if each in OWNED}
    response = send(admin.client(), call, call.address(values))
    if call.policy not in SELF_SERVICE:
        assert response.status_code == 404, response.content
    assert_is_fault(response)


@every(WRITES)
def test_a_readers_writes_are_forbidden(call: Call) -> None:
    reader = open_account("reader")
    response = send(reader.client(), call, call.address(values_of(call, reader)))
    if call.policy in SELF_SERVICE:
        assert response.status_code != 403
    else:
        assert response.status_code == 403
        assert str(call.policy) in assert_is_fault(response)


@every([call for call in WRITES if call.body])
class TestBodies:
    @pytest.fixture
    def address(self, call: Call, admin: Account) -> str:
        return call.address(values_of(call, admin))

    @pytest.mark.parametrize(
        "text", ["{", "[]", '"text"', "null", "\xff", '{"a": NaN}', "{'a': 1}"]
    )
    def test_what_is_no_json_object_is_refused(
        self, call: Call, admin: Account, address: str, text: str
    ) -> None:
        content = text.encode("latin-1")
        client = admin.client()
        response = client.generic(call.method, address, content, content_type="application/json")
        assert response.status_code == 400, (content, response.content)
        assert_is_fault(response)

    def test_what_is_no_json_at_all_is_refused(
        self, call: Call, admin: Account, address: str
    ) -> None:
        client = admin.client()
        response = client.generic(call.method, address, b"<a/>", content_type="application/xml")
        assert response.status_code == 415
        assert_is_fault(response)

    def test_unknown_fields_are_named(self, call: Call, admin: Account, address: str) -> None:
        body = call.view.bodies.get(call.method)
        if body is None:
            return
        surprised = {**call.body, "surprise": {}}
        response = getattr(admin.client(), call.method.lower())(address, surprised)
        assert response.status_code == 400, response.content
        assert "surprise" in assert_is_fault(response)
        if body.envelope:
            inner = {body.envelope: {**call.body[body.envelope], "surprise": {}}}
            response = getattr(admin.client(), call.method.lower())(address, inner)
            assert response.status_code == 400, response.content
            assert f"{body.envelope}.surprise" in assert_is_fault(response)


texts = st.text(max_size=40) | st.sampled_from(
    ["", "0", "-1", "1", "None", "null", "true", "9" * 30, "a:b", "id:asc", "\0", "%00", "{}", "'"]
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
QUERY_NAMES = [
    *("limit", "marker", "offset", "sort", "sort_key", "sort_dir", "all_tenants", "with_count"),
    *(
        "name",
        "status",
        "size",
        "metadata",
        "bootable",
        "volume_id",
        "cascade",
        "created_at",
        "updated_at",
        "is_public",
    ),
    *("resource_id", "volume_type_id", "event_id", "detail", "usage", "force", "project_id"),
    *("keep_last", "max_age_days", "next_slot"),
    *("resource", "extra_specs", "name~", "host", "microversion", "nocatalog", "include_names"),
]
queries = st.dictionaries(st.sampled_from(QUERY_NAMES) | st.text(max_size=8), texts, max_size=4)
versions = st.sampled_from(["3.0", "3.27", "3.50", "3.71", "latest"]) | st.text(
    st.characters(min_codepoint=32, max_codepoint=126), max_size=8
)
# A part of an address: anything that a client can put between two slashes.
names = st.text(
    st.characters(codec="utf-8", exclude_characters="/?#"), min_size=1, max_size=40
) | st.sampled_from(["%ff", "%00", "%2F", "%252e", "..", "9" * 300])


@st.composite
def bodies(draw: st.DrawFn, valid: Mapping[str, Any]) -> Any:
    """A valid body with something in it replaced or added; or just any object."""
    if draw(st.booleans()):
        return draw(st.dictionaries(texts, documents, max_size=3))
    document = {**valid}
    place = document
    while inner := [key for key, value in place.items() if isinstance(value, dict)]:
        if draw(st.booleans()):
            break
        key = draw(st.sampled_from(inner))
        place[key] = {**place[key]}
        place = place[key]
    place[draw(st.sampled_from([*place, "more"]))] = draw(documents)
    return document


@every(CALLS)
@settings(
    max_examples=15,  # and as many on the other database
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_nonsense_is_answered_with_a_sentence(
    call: Call, admin: Account, owner: Account, data: st.DataObject
) -> None:
    """Whatever an administrator sends, it works or it is an error of the client's, and says so."""
    values = values_of(call, owner) | data.draw(
        st.fixed_dictionaries({}, optional=dict.fromkeys(call.parameters, names))
    )
    client = admin.client(data.draw(versions))
    client.raise_request_exception = False
    body = None if call.method == "GET" else data.draw(bodies(call.body))
    response = getattr(client, call.method.lower())(
        call.address(values), body, query_params=data.draw(queries)
    )
    if response.status_code >= 400:
        assert_is_fault(response)

"""Whatever a client sends, it is told what is wrong; nothing it sends is a defect of ours."""

import json
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from tests.api.conftest import PROJECT
from tests.api.crates import Crate

pytestmark = pytest.mark.django_db

many = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=300),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=20), children, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["size", "name", "display_name", "sealed", "group_id", "metadata", "OS-SCH-HNT:hints", "odd"]
)
CRATES = st.dictionaries(FIELDS, JSON, max_size=6)
BODIES = (
    JSON
    | st.fixed_dictionaries({"crate": JSON})
    | st.fixed_dictionaries({"crate": CRATES}, optional={"OS-SCH-HNT:hints": JSON})
    | st.builds(lambda crate: {"crate": {"size": 1} | crate}, CRATES)
)
PARAMETERS = st.sampled_from(
    [
        *("limit", "marker", "offset", "sort", "sort_key", "sort_dir", "with_count"),
        *("name", "name~", "id", "sealed", "metadata", "created_at"),
        *("all_tenants", "microversion", "other"),
    ]
)
TEXTS = st.text(max_size=40) | st.sampled_from(
    ["1", "-1", "gt:2026-01-01T00:00:00", "name:asc", "{'a': 'b'}", "9" * 40, "true", "3.50"]
)
VERSIONS = st.sampled_from(["volume 3.0", "volume 3.12", "volume 3.42", "volume latest"])


def check(response: Any) -> None:
    """An answer that a client can understand; a 5xx would have raised here already."""
    assert response.status_code < 500
    if response.status_code >= 400:
        [fault] = response.json().values()
        assert fault["code"] == response.status_code
        assert 0 < len(fault["message"]) < 20_000


def send(client: APIClient, method: str, address: str, body: Any, version: str) -> Any:
    return client.generic(
        method,
        address,
        json.dumps(body),
        content_type="application/json",
        headers={"OpenStack-API-Version": version},
    )


@many
@given(body=BODIES, version=VERSIONS)
def test_any_document(member: APIClient, body: Any, version: str) -> None:
    for method, address in (
        ("POST", "/v3/crates"),
        ("PUT", f"/v3/crates/{UUID(int=1)}"),
        ("POST", f"/v3/crates/{UUID(int=1)}/action"),
    ):
        check(send(member, method, address, body, version))


@many
@given(argument=JSON | st.fixed_dictionaries({"new_size": JSON}), version=VERSIONS)
def test_any_argument_of_an_action(admin: APIClient, argument: Any, version: str) -> None:
    crate, _ = Crate.objects.get_or_create(id=UUID(int=2), project_id=PROJECT)
    for name in ("resize", "seal"):
        check(send(admin, "POST", f"/v3/crates/{crate.pk}/action", {name: argument}, version))


@many
@given(content=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()[1:]))
def test_any_bytes(member: APIClient, content: bytes) -> None:
    for media_type in ("application/json", "", "application/json; charset=nonsense"):
        check(member.generic("POST", "/v3/crates", content, content_type=media_type))


@many
@given(parameters=st.lists(st.tuples(PARAMETERS, TEXTS), max_size=5), version=VERSIONS)
def test_any_parameters(member: APIClient, parameters: list[tuple[str, str]], version: str) -> None:
    query = "&".join(
        f"{quote(name)}={quote(text.encode(errors='surrogatepass'))}" for name, text in parameters
    )
    for address in ("/v3/crates", "/v3/crates/detail", f"/v3/crates/{UUID(int=1)}"):
        check(member.get(f"{address}?{query}", headers={"OpenStack-API-Version": version}))


@many
@given(query=st.binary(max_size=60).map(quote) | st.text("%&=;+0aZ~[]'", max_size=40))
def test_any_query(member: APIClient, query: str) -> None:
    check(member.get("/v3/crates", QUERY_STRING=query))


@many
@given(identifier=st.text(min_size=1, max_size=80))
def test_any_identifier(member: APIClient, identifier: str) -> None:
    part = quote(identifier.encode(errors="surrogatepass"), safe="")
    for address in (f"/v3/crates/{part}", f"/v3/{part}/crates", f"/v3/{part}"):
        response = member.get(address)
        assert response.status_code in (200, 400, 404)
        check(response)


@many
@given(
    version=st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40),
    key=st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40),
)
def test_any_headers(member: APIClient, version: str, key: str) -> None:
    headers = {
        "OpenStack-API-Version": version,
        "Idempotency-Key": key,
        "Accept": version,
        "X-OpenStack-Request-ID": key,
    }
    check(member.post("/v3/crates", {"crate": {"size": 1}}, format="json", headers=headers))


def test_more_parameters_than_anybody_needs(member: APIClient) -> None:
    response = member.get("/v3/crates?" + "&".join(f"a{n}=1" for n in range(2000)))
    assert response.status_code == 400

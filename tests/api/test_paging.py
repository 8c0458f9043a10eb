"""Pages: every row once, in order, whatever the order, in a constant number of queries."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from tests.api.conftest import OTHER_PROJECT, PROJECT
from tests.api.crates import Crate

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)


def make_crates(*names: str | None) -> list[Crate]:
    """Crates of these names, the last one the newest."""
    return Crate.objects.bulk_create(
        Crate(
            project_id=PROJECT,
            name=name,
            size_gib=len(name or ""),
            created_at=START + timedelta(minutes=n),
        )
        for n, name in enumerate(names)
    )


def names(response: Any) -> list[str | None]:
    assert response.status_code == 200, response.content
    return [crate["name"] for crate in response.json()["crates"]]


def walk(client: APIClient, query: str) -> list[list[str]]:
    """The ids on all pages, following the links as clients do."""
    pages = []
    address: str | None = f"/v3/crates?{query}"
    while address is not None:
        document = client.get(address).json()
        pages.append([crate["id"] for crate in document["crates"]])
        links = document.get("crates_links", [])
        address = next((link["href"] for link in links if link["rel"] == "next"), None)
    return pages


def test_the_newest_come_first(member: APIClient) -> None:
    make_crates("a", "b", "c")
    response = member.get("/v3/crates")
    assert names(response) == ["c", "b", "a"]
    assert "crates_links" not in response.json()


def test_a_page_links_to_the_next_with_all_parameters(member: APIClient) -> None:
    _, last_shown, _ = make_crates("a", "b", "c")
    response = member.get("/v3/crates?limit=2&sealed=false&offset=0")
    assert names(response) == ["c", "b"]
    [link] = response.json()["crates_links"]
    address = urlsplit(link["href"])
    assert (link["rel"], address.netloc, address.path) == ("next", "testserver", "/v3/crates")
    assert parse_qs(address.query) == {
        "limit": ["2"],
        "sealed": ["false"],
        "marker": [str(last_shown.pk)],
    }
    last = member.get(link["href"])
    assert names(last) == ["a"]
    assert "crates_links" not in last.json()


def test_limits(member: APIClient) -> None:
    make_crates("a", "b")
    assert names(member.get("/v3/crates?limit=0")) == []
    assert names(member.get("/v3/crates?limit=1")) == ["b"]
    assert names(member.get("/v3/crates?limit=999999999999")) == ["b", "a"]
    assert names(member.get("/v3/crates?offset=1")) == ["a"]


def test_no_page_has_more_than_a_thousand(member: APIClient) -> None:
    make_crates(*(["x"] * 1001))
    response = member.get("/v3/crates?limit=5000")
    assert len(names(response)) == 1000
    assert len(names(member.get(response.json()["crates_links"][0]["href"]))) == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sort=name:asc", ["a", "b", "c", None]),
        ("sort=name:desc", ["c", "b", "a", None]),
        ("sort=name", ["c", "b", "a", None]),
        ("sort=size:asc,name:desc", [None, "c", "b", "a"]),
        ("sort_key=name&sort_dir=asc", ["a", "b", "c", None]),
        ("sort_dir=asc", ["b", "a", None, "c"]),
        ("sort_key=name", ["c", "b", "a", None]),
        ("sort=", ["c", None, "a", "b"]),
    ],
)
def test_orders(member: APIClient, query: str, expected: list[str | None]) -> None:
    make_crates("b", "a", None, "c")
    assert names(member.get(f"/v3/crates?{query}")) == expected


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=x",
        "limit=1.0",
        "limit=",
        "limit=" + "9" * 5000,
        "limit=٣",
        "offset=-1",
        "offset=x",
        "offset=99999999999999",
        "sort=nothing",
        "sort=name:up",
        "sort=metadata__x",
        "sort=name:asc&sort_key=name",
        "sort_dir=sideways",
        "sort_key=project_id",
        "marker=x",
        "marker=00000000-0000-0000-0000-000000000000",
        "marker=" + "9" * 5000,
        "marker=%00",
    ],
)
def test_what_cannot_be_paged_is_a_bad_request(member: APIClient, query: str) -> None:
    make_crates("a")
    response = member.get(f"/v3/crates?{query}")
    assert response.status_code == 400
    assert len(response.json()["badRequest"]["message"]) < 400


def test_a_marker_must_be_in_the_callers_view(member: APIClient) -> None:
    foreign = Crate.objects.create(project_id=OTHER_PROJECT)
    assert member.get(f"/v3/crates?marker={foreign.pk}").status_code == 400


def test_a_count_for_those_who_ask(member: APIClient) -> None:
    make_crates("a", "b", "c")
    newer = {"OpenStack-API-Version": "volume 3.45"}
    assert member.get("/v3/crates?limit=1&with_count=1", headers=newer).json()["count"] == 3
    assert "count" not in member.get("/v3/crates?limit=1&with_count=0", headers=newer).json()
    assert "count" not in member.get("/v3/crates?limit=1&with_count=1").json()
    assert member.get("/v3/crates?with_count=x", headers=newer).status_code == 400


def test_a_row_deleted_between_pages_ends_the_walk_with_a_sentence(member: APIClient) -> None:
    *_, newest = make_crates("a", "b", "c")
    link = member.get("/v3/crates?limit=1").json()["crates_links"][0]["href"]
    Crate.objects.filter(pk=newest.pk).delete()
    response = member.get(link)
    assert response.status_code == 400
    message = f"marker {newest.pk} could not be found."
    assert response.json()["badRequest"]["message"] == message


@pytest.mark.parametrize("rows", [3, 60])
def test_the_number_of_queries_does_not_grow(member: APIClient, rows: int) -> None:
    crates = make_crates(*(["x"] * rows))
    with CaptureQueriesContext(connection) as captured:
        member.get("/v3/crates/detail")
    assert len(captured) == 1
    with CaptureQueriesContext(connection) as captured:
        member.get(f"/v3/crates/detail?marker={crates[1].pk}&limit=1")
    assert len(captured) == 2


SORTS = st.lists(
    st.tuples(
        st.sampled_from(["name", "size", "created_at", "updated_at", "id"]),
        st.sampled_from(["asc", "desc"]),
    ),
    max_size=4,
)
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from("abc")),
        st.integers(0, 2),
        st.integers(0, 2),
        st.one_of(st.none(), st.integers(0, 1)),
    ),
    max_size=8,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS, sort=SORTS, limit=st.integers(1, 3))
def test_whatever_the_order_every_row_comes_once(
    member: APIClient,
    rows: list[tuple[str | None, int, int, int | None]],
    sort: list[tuple[str, str]],
    limit: int,
) -> None:
    Crate.objects.all().delete()
    Crate.objects.bulk_create(
        Crate(
            id=uuid4(),
            project_id=PROJECT,
            name=name,
            size_gib=size,
            created_at=START + timedelta(days=created),
            updated_at=None if updated is None else START + timedelta(days=updated),
        )
        for name, size, created, updated in rows
    )
    query = "sort=" + ",".join(f"{key}:{direction}" for key, direction in sort)
    [whole] = walk(member, query)
    assert len(whole) == len(set(whole)) == len(rows)
    pages = walk(member, f"{query}&limit={limit}")
    assert [identifier for page in pages for identifier in page] == whole
    assert all(len(page) == limit for page in pages[:-1])

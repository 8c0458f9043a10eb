"""Request ids, and addresses as carelessly written as clients write them."""

import re

import pytest
import structlog
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from rest_framework.test import APIClient

from storage_project.api.middleware import RequestIdMiddleware


@pytest.mark.django_db
def test_every_answer_has_its_id_under_both_names(member: APIClient, anyone: APIClient) -> None:
    answers = [member.get("/v3/crates"), anyone.get("/v3/crates"), anyone.get("/nowhere")]
    ids = {answer.headers["x-openstack-request-id"] for answer in answers}
    assert len(ids) == 3
    for answer in answers:
        assert re.fullmatch(r"req-[0-9a-f-]{36}", answer.headers["x-openstack-request-id"])
        assert answer.headers["x-compute-request-id"] == answer.headers["x-openstack-request-id"]


def run(path: str, **headers: str) -> tuple[HttpRequest, dict[str, str]]:
    """Send a request through the middleware alone; what it looks like behind, and the log names."""
    seen: dict[str, str] = {}

    def answer(request: HttpRequest) -> HttpResponse:
        seen.update(structlog.contextvars.get_contextvars())
        return HttpResponse()

    request = RequestFactory().get("/", headers=headers)
    request.path_info = request.path = path
    RequestIdMiddleware(answer)(request)
    return request, seen


@pytest.mark.parametrize(
    ("path", "tidy"),
    [
        ("/v3/crates", "/v3/crates"),
        ("/v3/crates/", "/v3/crates"),
        ("//v3//crates///x//", "/v3/crates/x"),
        ("/v3/", "/v3"),
        ("//", "/"),
        ("/identity/v3/", "/identity/v3"),
        ("/admin/", "/admin/"),
        ("/static//x", "/static//x"),
    ],
)
def test_api_addresses_are_tidied_in_place(path: str, tidy: str) -> None:
    request, _ = run(path)
    assert request.path_info == tidy
    assert request.path == tidy


def test_the_mount_point_is_kept() -> None:
    request = RequestFactory().get("/v3//crates/", SCRIPT_NAME="/storage")
    RequestIdMiddleware(lambda request: HttpResponse())(request)
    assert request.path == "/storage/v3/crates"


def test_log_lines_carry_both_ids_and_forget_them() -> None:
    foreign = "req-12345678-1234-1234-1234-123456789abc"
    request, seen = run("/v3", **{"X-OpenStack-Request-ID": foreign})
    assert seen == {"request_id": request.request_id, "global_request_id": foreign}
    assert structlog.contextvars.get_contextvars() == {}


def test_a_forged_id_is_not_logged() -> None:
    _, seen = run("/v3", **{"X-OpenStack-Request-ID": "req-x\nINFO all is well"})
    assert "global_request_id" not in seen


@pytest.mark.django_db
def test_a_trailing_slash_keeps_the_body_of_a_post(member: APIClient) -> None:
    response = member.post("/v3/crates/", {"crate": {"size": 1}}, format="json")
    assert response.status_code == 202

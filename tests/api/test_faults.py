"""Whatever goes wrong, a client gets one envelope, one sentence and the right code."""

import pytest
from django.db import OperationalError
from rest_framework.exceptions import Throttled, ValidationError
from rest_framework.test import APIClient

from storage_project.api.faults import (
    BadRequest,
    Conflict,
    Fault,
    OverLimit,
    ServiceUnavailable,
    as_fault,
    describe,
    envelope,
)


def test_envelopes_carry_code_and_message() -> None:
    assert envelope(BadRequest("No.")) == {"badRequest": {"code": 400, "message": "No."}}
    assert envelope(Conflict("No.")) == {"conflictingRequest": {"code": 409, "message": "No."}}
    assert envelope(Fault("No.")) == {"computeFault": {"code": 500, "message": "No."}}
    assert envelope(ServiceUnavailable("No."))["serviceUnavailable"]["code"] == 503


def test_over_limit_is_what_csi_takes_for_exhausted() -> None:
    fault = OverLimit("Quota exceeded.")
    assert envelope(fault) == {
        "overLimit": {"code": 413, "message": "Quota exceeded.", "retryAfter": "0"}
    }
    assert fault.headers == {"Retry-After": "0"}


def test_identity_has_its_own_envelope() -> None:
    assert envelope(Conflict("Taken."), "identity") == {
        "error": {"code": 409, "title": "Conflict", "message": "Taken."}
    }


def test_nested_errors_are_told_with_their_paths() -> None:
    detail = {"volume": {"size": ["Too small."], "metadata": {"k": ["Too long.", "Odd."]}}}
    assert describe(detail) == (
        "volume.size: Too small. volume.metadata.k: Too long. volume.metadata.k: Odd."
    )
    assert (
        describe({"volume": {"non_field_errors": ["Not an object."]}}) == "volume: Not an object."
    )


def test_validation_errors_are_bad_requests_and_throttling_says_how_long() -> None:
    fault = as_fault(ValidationError({"size": ["Too small."]}))
    assert isinstance(fault, BadRequest)
    assert fault.message == "Invalid input for size: Too small."
    throttled = as_fault(Throttled(wait=7))
    assert throttled is not None
    assert (throttled.status_code, throttled.key) == (429, "overLimit")
    assert throttled.headers == {"Retry-After": "7"}


def test_a_database_that_is_away_is_not_a_defect() -> None:
    fault = as_fault(OperationalError("server closed the connection"))
    assert isinstance(fault, ServiceUnavailable)
    assert "server closed" not in fault.message


def test_a_defect_has_no_fault() -> None:
    assert as_fault(KeyError("x")) is None


@pytest.mark.django_db
def test_a_defect_shows_a_request_id_and_nothing_else(member: APIClient) -> None:
    member.raise_request_exception = False
    response = member.get("/v3/broken")
    fault = response.json()["computeFault"]
    assert fault["code"] == response.status_code == 500
    assert response.headers["x-openstack-request-id"] in fault["message"]
    assert "secret" not in fault["message"]


def test_unknown_addresses_are_not_found_in_either_style(anyone: APIClient) -> None:
    response = anyone.get("/v3/nothing/here")
    assert response.status_code == 404
    assert response.json()["itemNotFound"]["code"] == 404
    response = anyone.get("/identity/v3/nothing")
    assert response.json()["error"]["title"] == "Not Found"


@pytest.mark.django_db
def test_a_view_can_choose_the_identity_style(member: APIClient) -> None:
    response = member.get("/identity/things/x")
    assert response.json() == {
        "error": {"code": 404, "title": "Not Found", "message": "Thing x could not be found."}
    }


def test_without_credentials_the_answer_says_where_to_get_them(anyone: APIClient) -> None:
    response = anyone.get("/v3/crates")
    assert response.status_code == 401
    assert response.json()["unauthorized"]["code"] == 401
    assert response.headers["WWW-Authenticate"].startswith('Keystone uri="http')


@pytest.mark.django_db
def test_a_form_is_no_json(member: APIClient) -> None:
    response = member.post("/v3/crates", {"size": 1}, format="multipart")
    assert response.status_code == 415
    assert "badMediaType" in response.json()


@pytest.mark.django_db
def test_methods_that_are_not_there(member: APIClient) -> None:
    for method in ("PATCH", "OPTIONS", "TRACE", "BREW"):
        response = member.generic(method, "/v3/crates")
        assert response.status_code == 405
        assert response.json()["badMethod"]["code"] == 405

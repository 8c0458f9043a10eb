"""Microversions: header in, header out, and gates that open at the right one."""

import pytest
from rest_framework.test import APIClient

from storage_project.api.faults import BadRequest, NotAcceptable
from storage_project.api.versions import MAX, MIN, Microversion, negotiate


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("volume 3.0", MIN),
        ("volume 3.50", Microversion(3, 50)),
        ("block-storage 3.50", Microversion(3, 50)),
        ("volume latest", MAX),
        ("compute 2.90, volume 3.9", Microversion(3, 9)),
        ("  Volume   3.71 ", MAX),
        ("compute 2.90", MIN),
        ("", MIN),
    ],
)
def test_negotiation(header: str, expected: Microversion) -> None:
    assert negotiate(header) == expected


@pytest.mark.parametrize("header", ["volume 3.72", "volume 2.1", "volume 4.0", "volume 3.9999"])
def test_out_of_range_names_the_range(header: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        negotiate(header)
    assert caught.value.extra == {"min_version": "3.0", "max_version": "3.71"}
    assert "3.0" in caught.value.message
    assert "3.71" in caught.value.message


@pytest.mark.parametrize(
    "header",
    [
        "volume",
        "volume 3",
        "volume 3.",
        "volume 3.01",
        "volume -3.1",
        "volume 3.1.2",
        "volume x.y",
        "volume 3.٣",
        "volume " + "9" * 5000 + ".1",
    ],
)
def test_what_cannot_be_read_is_a_bad_request(header: str) -> None:
    with pytest.raises(BadRequest):
        negotiate(header)


def test_versions_are_ordered_by_number_not_by_text() -> None:
    assert Microversion.parse("3.9") < Microversion.parse("3.10")
    assert str(Microversion(3, 10)) == "3.10"


@pytest.mark.django_db
def test_the_answer_echoes_the_version(member: APIClient) -> None:
    response = member.get("/v3/crates", headers={"OpenStack-API-Version": "volume 3.27"})
    assert response.headers["OpenStack-API-Version"] == "volume 3.27"
    assert "OpenStack-API-Version" in response.headers["Vary"]
    assert member.get("/v3/crates").headers["OpenStack-API-Version"] == "volume 3.0"


def test_refusals_come_before_credentials(anyone: APIClient) -> None:
    response = anyone.get("/v3/crates", headers={"OpenStack-API-Version": "volume 3.999"})
    assert response.status_code == 406
    assert response.json()["notAcceptable"]["max_version"] == "3.71"
    response = anyone.get("/v3/crates", headers={"OpenStack-API-Version": "volume three"})
    assert response.status_code == 400


@pytest.mark.django_db
def test_browsers_choose_by_parameter_and_see_the_latest_otherwise(member: APIClient) -> None:
    page = {"Accept": "text/html"}
    response = member.get("/v3/crates", headers=page)
    assert response.headers["OpenStack-API-Version"] == "volume 3.71"
    response = member.get("/v3/crates?microversion=3.50", headers=page)
    assert response.headers["OpenStack-API-Version"] == "volume 3.50"
    assert member.get("/v3/crates?microversion=9.9").status_code == 406
    assert member.get("/v3/crates?microversion=x").status_code == 400


@pytest.mark.django_db
def test_below_its_gate_a_method_does_not_exist(member: APIClient) -> None:
    address = "/v3/crates/00000000-0000-0000-0000-000000000000"
    body = {"crate": {"name": "x"}}
    response = member.put(address, body, format="json")
    assert response.status_code == 404
    assert "3.5 or later" in response.json()["itemNotFound"]["message"]
    newer = {"OpenStack-API-Version": "volume 3.5"}
    response = member.put(address, body, format="json", headers=newer)
    assert "Crate 0000" in response.json()["itemNotFound"]["message"]

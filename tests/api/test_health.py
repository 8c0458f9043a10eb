"""The health address tells the truth about the database."""

import pytest
from django.db import OperationalError, connection
from rest_framework.test import APIClient


@pytest.mark.django_db
def test_healthy(anyone: APIClient) -> None:
    response = anyone.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_without_its_database(anyone: APIClient) -> None:
    def refuse(*args: object) -> None:
        raise OperationalError("the server closed the connection")

    with connection.execute_wrapper(refuse):
        response = anyone.get("/healthz")
    assert (response.status_code, response.json()) == (503, {"status": "no database"})


@pytest.mark.django_db
def test_a_call_without_the_database_may_be_repeated(anyone: APIClient) -> None:
    def refuse(*args: object) -> None:
        raise OperationalError("the server closed the connection")

    with connection.execute_wrapper(refuse):
        response = anyone.get("/v3/crates", headers={"X-Auth-Token": "x" * 32})
    assert response.status_code == 503
    assert response.json()["serviceUnavailable"]["code"] == 503
    assert "Retry-After" in response.headers

"""Operations over HTTP: how far a request is, how it ended, and stopping it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from storage_project.operations.models import Operation, Transition
from tests.accounts import Account, open_account
from tests.factories import OperationFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Account:
    return open_account("member")


@pytest.fixture
def operation(member: Account) -> Operation:
    return OperationFactory(project_id=member.project.pk)


def listed(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [operation["id"] for operation in response.json()["operations"]]


def test_list(member: Account, operation: Operation) -> None:
    OperationFactory()
    newer = OperationFactory(
        project_id=member.project.pk, kind="volume.delete", status="failed", error_code="internal"
    )
    client = member.client("3.0")
    assert listed(client.get("/v3/operations")) == [str(newer.pk), str(operation.pk)]
    for query in (
        "kind=volume.delete",
        "status=failed",
        f"resource_id={newer.resource_id}",
        f"request_id={newer.request_id}",
        "limit=1",
    ):
        assert listed(client.get(f"/v3/operations?{query}")) == [str(newer.pk)]
    assert listed(client.get("/v3/operations?resource_id=nonsense")) == []
    admin = open_account("admin").client()
    assert listed(admin.get("/v3/operations")) == []
    assert len(listed(admin.get("/v3/operations?all_tenants=1"))) == 3


def test_show(member: Account, operation: Operation) -> None:
    Operation.objects.update(
        status="running", step="provision", progress_bytes=5, total_bytes=10, owner="worker@box"
    )
    response = member.client().get(f"/v3/operations/{operation.pk}")
    shown = response.json()["operation"]
    assert shown["status"] == "running"
    assert shown["step"] == "provision"
    assert (shown["progress_bytes"], shown["total_bytes"]) == (5, 10)
    assert shown["resource_id"] == str(operation.resource_id)
    assert "worker" not in shown
    assert shown["timeline"] == []
    admin = open_account("admin").client()
    shown = admin.get(f"/v3/operations/{operation.pk}").json()["operation"]
    assert shown["worker"] == "worker@box"


def test_the_timeline_merges_steps_and_statuses(member: Account, operation: Operation) -> None:
    began = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    Transition.objects.create(
        operation=operation,
        resource_type="volume",
        resource_id=operation.resource_id,
        became="creating",
        at=began,
    )
    Transition.objects.create(
        operation=operation,
        resource_type="volume",
        resource_id=operation.resource_id,
        step="report",
        was="creating",
        became="available",
        at=began + timedelta(seconds=2),
    )
    step = {
        "at": (began + timedelta(seconds=1)).isoformat(),
        "step": "provision",
        "outcome": "done",
        "attempt": 1,
        "worker": "box",
        "note": "",
    }
    Operation.objects.update(timeline=[step])
    shown = member.client().get(f"/v3/operations/{operation.pk}").json()["operation"]
    assert [(entry["event"], entry["step"], entry["became"]) for entry in shown["timeline"]] == [
        ("status", "", "creating"),
        ("step", "provision", None),
        ("status", "report", "available"),
    ]
    assert shown["timeline"][1]["at"] == "2026-01-02T03:04:06.000000"
    assert "worker" not in shown["timeline"][1]


def test_cancel(member: Account, operation: Operation) -> None:
    address = f"/v3/operations/{operation.pk}/action"
    assert member.client().post(address, {"os-cancel": None}).status_code == 202
    operation.refresh_from_db()
    assert operation.cancel_requested
    Operation.objects.update(status="succeeded")
    late = member.client().post(address, {"os-cancel": None})
    assert late.status_code == 409
    assert "succeeded" in late.json()["conflictingRequest"]["message"]


@pytest.mark.parametrize("body", [{}, {"os-pause": None}, {"os-cancel": None, "os-pause": None}])
def test_refuses_other_actions(member: Account, operation: Operation, body: Any) -> None:
    response = member.client().post(f"/v3/operations/{operation.pk}/action", body)
    assert response.status_code == 400


def test_who_may_what(member: Account, operation: Operation) -> None:
    address = f"/v3/operations/{operation.pk}"
    reader = open_account("reader", project=member.project).client()
    stranger = open_account("member").client()
    assert reader.get(address).status_code == 200
    assert reader.post(f"{address}/action", {"os-cancel": None}).status_code == 403
    assert stranger.get(address).status_code == 404
    assert stranger.post(f"{address}/action", {"os-cancel": None}).status_code == 404
    for name in (uuid4(), "nonsense"):
        assert member.client().get(f"/v3/operations/{name}").status_code == 404


def test_the_number_of_queries_is_constant(member: Account, django_assert_num_queries: Any) -> None:
    for operation in OperationFactory.create_batch(5, project_id=member.project.pk):
        Transition.objects.create(
            operation=operation, resource_type="volume", resource_id=uuid4(), became="x"
        )
    with django_assert_num_queries(2):
        member.client().get("/v3/operations")
    with django_assert_num_queries(3):
        member.client().get(f"/v3/operations/{operation.pk}")

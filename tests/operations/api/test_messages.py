"""Messages over HTTP: why something did not work."""

from typing import Any

import pytest

from storage_project.operations.models import Message
from tests.accounts import Account, open_account
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Account:
    return open_account("member")


@pytest.fixture
def message(member: Account) -> Message:
    return MessageFactory(project_id=member.project.pk, request_id="req-1")


def listed(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [message["id"] for message in response.json()["messages"]]


def test_show(member: Account, message: Message) -> None:
    answer = member.client("3.3").get(f"/v3/messages/{message.pk}").json()
    shown = answer["message"]
    assert answer["messages"] == shown  # where openstacksdk looks for it
    assert len(shown.pop("created_at")) == len(shown.pop("guaranteed_until")) == 26
    assert [link["rel"] for link in shown.pop("links")] == ["self", "bookmark"]
    assert shown == {
        "id": str(message.pk),
        "event_id": "VOLUME_NO_BACKEND",
        "message_level": "ERROR",
        "user_message": "The scheduler found no place for it.",
        "request_id": "req-1",
        "resource_type": "VOLUME",
        "resource_uuid": str(message.resource_id),
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True),
        ("event_id=VOLUME_NO_BACKEND", True),
        ("event_id=VOLUME_INTERNAL", False),
        ("event_id=nonsense", False),
        ("message_level=ERROR", True),
        ("resource_type=VOLUME", True),
        ("resource_type=SNAPSHOT", False),
        ("request_id=req-1", True),
        ("resource_uuid=nonsense", False),
        ("sort=event_id:asc&limit=1", True),
    ],
)
def test_list(member: Account, message: Message, query: str, found: bool) -> None:
    MessageFactory()
    response = member.client().get(f"/v3/messages?{query}")
    assert listed(response) == ([str(message.pk)] if found else [])


@pytest.mark.parametrize("query", ["all_tenants=1", "project_id={project}"])
def test_administrator_reads_what_others_were_told(message: Message, query: str) -> None:
    query = query.format(project=message.project_id)
    admin, stranger = open_account("admin"), open_account("member")
    assert listed(admin.client().get(f"/v3/messages?{query}")) == [str(message.pk)]
    assert listed(admin.client().get("/v3/messages")) == []
    assert listed(admin.client().get("/v3/messages?project_id=nobody")) == []
    assert listed(stranger.client().get(f"/v3/messages?{query}")) == []


def test_pages(member: Account) -> None:
    made = MessageFactory.create_batch(3, project_id=member.project.pk)
    page = member.client().get("/v3/messages?limit=2")
    [link] = page.json()["messages_links"]
    rest = member.client().get(link["href"])
    assert {*listed(page), *listed(rest)} == {str(message.pk) for message in made}


def test_delete(member: Account, message: Message) -> None:
    address = f"/v3/messages/{message.pk}"
    assert open_account("member").client().delete(address).status_code == 404
    assert (
        open_account("reader", project=member.project).client().delete(address).status_code == 403
    )
    assert member.client().delete(address).status_code == 204
    assert member.client().get(address).status_code == 404


def test_exists_from_3_3_on(member: Account, message: Message) -> None:
    assert member.client("3.2").get("/v3/messages").status_code == 404
    assert member.client("3.2").get(f"/v3/messages/{message.pk}").status_code == 404

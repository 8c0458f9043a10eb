"""/identity/v3/projects and where users may act."""

from typing import Any

import pytest

from storage_project.identity.models import Project, RoleAssignment, Token
from storage_project.identity.services import create_project, update_project
from tests.identity.conftest import Account, give_role

WHERE = "/identity/v3/projects"


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [project["name"] for project in response.json()["projects"]]


def test_life_of_a_project(admin: Account) -> None:
    response = admin.client.post(WHERE, {"project": {"name": "orchard", "description": "Apples"}})
    assert response.status_code == 201
    project = response.json()["project"]
    where = f"{WHERE}/{project['id']}"
    assert project == {
        "id": Project.objects.get(name="orchard").pk,
        "name": "orchard",
        "description": "Apples",
        "enabled": True,
        "domain_id": "default",
        "parent_id": "default",
        "is_domain": False,
        "tags": [],
        "options": {},
        "links": {"self": f"http://testserver{where}"},
    }
    response = admin.client.patch(where, {"project": {"enabled": False, "description": None}})
    assert response.json()["project"] == project | {"enabled": False, "description": ""}
    assert admin.client.get(where).json() == response.json()
    assert admin.client.delete(where).status_code == 204
    assert admin.client.get(where).status_code == 404


def test_names_are_unique(admin: Account, demo: Account) -> None:
    assert admin.client.post(WHERE, {"project": {"name": "demo"}}).status_code == 409
    response = admin.client.patch(f"{WHERE}/{admin.project.pk}", {"project": {"name": "demo"}})
    assert response.status_code == 409
    assert "demo" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "project"),
        ({"project": []}, "project"),
        ({"project": {}}, "project.name"),
        ({"project": {"name": ""}}, "project.name"),
        ({"project": {"name": None}}, "project.name"),
        ({"project": {"name": "x" * 65}}, "project.name"),
        ({"project": {"name": "x", "enabled": "perhaps"}}, "project.enabled"),
        ({"project": {"name": "x", "domain_id": "other"}}, "project.domain_id"),
        ({"project": {"name": "x", "is_domain": True}}, "project.is_domain"),
        ({"project": {"name": "x", "tags": ["a"]}}, "project.tags"),
        ({"project": {"name": "x", "options": {"immutable": True}}}, "project.options"),
        ({"project": {"name": "x", "colour": "red"}}, "project.colour"),
    ],
)
def test_malformed_body_is_named(admin: Account, body: Any, named: str) -> None:
    response = admin.client.post(WHERE, body)
    assert response.status_code == 400
    assert named in response.json()["error"]["message"]


def test_what_is_so_anyway_may_be_said(admin: Account) -> None:
    body = {"name": "x", "domain_id": "default", "parent_id": None, "is_domain": False, "tags": []}
    assert admin.client.post(WHERE, {"project": body}).status_code == 201


def test_list_filters_and_pages(admin: Account, demo: Account) -> None:
    for name in ("b", "c", "a"):
        create_project(name=name, enabled=name != "b")
    assert names(admin.client.get(WHERE)) == ["a", "admin", "b", "c", "demo"]
    assert names(admin.client.get(f"{WHERE}?name=c")) == ["c"]
    assert names(admin.client.get(f"{WHERE}?enabled=False")) == ["b"]
    assert names(admin.client.get(f"{WHERE}?domain_id=default&colour=red&name=c")) == ["c"]
    assert names(admin.client.get(f"{WHERE}?domain_id=other")) == []
    page = admin.client.get(f"{WHERE}?limit=2")
    seen = names(page)
    while following := page.json()["links"]["next"]:
        page = admin.client.get(following)
        seen += names(page)
    assert seen == ["a", "admin", "b", "c", "demo"]


@pytest.mark.parametrize("query", ["enabled=maybe", "limit=x", "limit=-1", "marker=nothing"])
def test_malformed_query(admin: Account, query: str) -> None:
    assert admin.client.get(f"{WHERE}?{query}").status_code == 400


def test_users_see_their_own_projects_only(admin: Account, demo: Account) -> None:
    assert names(demo.client.get(WHERE)) == ["demo"]
    assert names(demo.client.get(f"{WHERE}?name=admin")) == []
    assert demo.client.get(f"{WHERE}/{demo.project.pk}").status_code == 200
    assert demo.client.get(f"{WHERE}/{admin.project.pk}").status_code == 404


def test_only_admins_write(admin: Account, demo: Account) -> None:
    where = f"{WHERE}/{demo.project.pk}"
    assert demo.client.post(WHERE, {"project": {"name": "x"}}).status_code == 403
    assert demo.client.patch(where, {"project": {"name": "x"}}).status_code == 403
    assert demo.client.delete(where).status_code == 403


def test_deleting_takes_tokens_and_roles_along(admin: Account, demo: Account) -> None:
    admin.client.delete(f"{WHERE}/{demo.project.pk}")
    assert not Token.objects.filter(user=demo.user).exists()
    assert not RoleAssignment.objects.filter(user=demo.user).exists()
    demo.user.refresh_from_db()
    assert demo.user.default_project is None


def test_where_users_may_act(admin: Account, demo: Account) -> None:
    for name, role in (("other", "reader"), ("other", "member"), ("closed", "member")):
        project = Project.objects.filter(name=name).first() or create_project(name=name)
        give_role(demo.user, project, role)
    update_project(project=Project.objects.get(name="closed"), enabled=False)
    of_demo = f"/identity/v3/users/{demo.user.pk}/projects"
    for client, where in (
        (demo.client, "/identity/v3/auth/projects"),
        (demo.client, of_demo),
        (admin.client, of_demo),
    ):
        assert names(client.get(where)) == ["demo", "other"]
    assert demo.client.get(f"/identity/v3/users/{admin.user.pk}/projects").status_code == 403

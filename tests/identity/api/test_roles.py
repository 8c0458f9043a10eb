"""/identity/v3/roles and role assignments."""

from typing import Any

import pytest

from storage_project.identity.models import Role, RoleAssignment
from storage_project.identity.services import create_user
from tests.identity.conftest import Account

WHERE = "/identity/v3/roles"
ASSIGNMENTS = "/identity/v3/role_assignments"


def role_id(name: str) -> str:
    return Role.objects.get_or_create(name=name)[0].pk


def held(account: Account, role: str | None = None) -> str:
    where = f"/identity/v3/projects/{account.project.pk}/users/{account.user.pk}/roles"
    return where if role is None else f"{where}/{role_id(role)}"


def test_life_of_a_role(admin: Account) -> None:
    response = admin.client.post(WHERE, {"role": {"name": "auditor", "domain_id": None}})
    assert response.status_code == 201
    role = response.json()["role"]
    where = f"{WHERE}/{role['id']}"
    assert role == {
        "id": role_id("auditor"),
        "name": "auditor",
        "description": "",
        "domain_id": None,
        "options": {},
        "links": {"self": f"http://testserver{where}"},
    }
    response = admin.client.patch(where, {"role": {"name": "inspector"}})
    assert response.json()["role"] == role | {"name": "inspector"}
    assert admin.client.get(f"{WHERE}?name=inspector").json()["roles"] == [
        role | {"name": "inspector"}
    ]
    assert admin.client.delete(where).status_code == 204
    assert admin.client.get(where).status_code == 404


@pytest.mark.parametrize("name", ["admin", "member", "reader", "service"])
def test_roles_of_the_policy_stay(admin: Account, name: str) -> None:
    where = f"{WHERE}/{role_id(name)}"
    assert admin.client.delete(where).status_code == 403
    assert admin.client.patch(where, {"role": {"name": "x"}}).status_code == 403
    change = {"role": {"name": name, "description": "Mine"}}
    assert admin.client.patch(where, change).status_code == 200


def test_grant_check_and_withdraw(admin: Account, demo: Account) -> None:
    where = held(demo, "reader")
    assert admin.client.head(where).status_code == 404
    assert admin.client.put(where).status_code == 204
    assert admin.client.put(where).status_code == 204
    assert admin.client.head(where).status_code == 204
    roles = admin.client.get(held(demo)).json()["roles"]
    assert [role["name"] for role in roles] == ["member", "reader"]
    assert admin.client.delete(where).status_code == 204
    assert admin.client.delete(where).status_code == 404


@pytest.mark.parametrize("missing", ["project", "user", "role"])
def test_grant_of_what_is_missing(admin: Account, demo: Account, missing: str) -> None:
    ids = {"project": demo.project.pk, "user": demo.user.pk, "role": role_id("reader")}
    ids[missing] = "none"
    where = "/identity/v3/projects/{project}/users/{user}/roles/{role}".format(**ids)
    response = admin.client.put(where)
    assert response.status_code == 404
    assert missing in response.json()["error"]["message"].lower()


def test_nobody_promotes_himself(demo: Account) -> None:
    assert demo.client.put(held(demo, "admin")).status_code == 403
    assert demo.client.delete(held(demo, "member")).status_code == 403
    assert RoleAssignment.objects.count() == 1


def test_only_admins_write(demo: Account) -> None:
    assert demo.client.get(WHERE).status_code == 200
    assert demo.client.post(WHERE, {"role": {"name": "x"}}).status_code == 403
    assert demo.client.patch(f"{WHERE}/{role_id('reader')}", {"role": {}}).status_code == 403
    assert demo.client.delete(f"{WHERE}/{role_id('reader')}").status_code == 403


def test_users_see_their_own_assignments(admin: Account, demo: Account) -> None:
    assert demo.client.get(held(demo)).status_code == 200
    assert demo.client.get(held(admin)).status_code == 404
    assert demo.client.head(held(admin, "admin")).status_code == 404
    assert len(demo.client.get(ASSIGNMENTS).json()["role_assignments"]) == 1
    assert len(admin.client.get(ASSIGNMENTS).json()["role_assignments"]) == 2


def test_assignment_with_ids_and_with_names(demo: Account) -> None:
    ids = {
        "role": {"id": role_id("member")},
        "user": {"id": demo.user.pk},
        "scope": {"project": {"id": demo.project.pk}},
        "links": {"assignment": f"http://testserver{held(demo, 'member')}"},
    }
    assert demo.client.get(ASSIGNMENTS).json()["role_assignments"] == [ids]
    domain = {"id": "default", "name": "Default"}
    for query in ("include_names", "include_names=True", "include_names=1&effective"):
        assert demo.client.get(f"{ASSIGNMENTS}?{query}").json()["role_assignments"] == [
            ids
            | {
                "role": {"id": role_id("member"), "name": "member"},
                "user": {"id": demo.user.pk, "name": "demo", "domain": domain},
                "scope": {"project": {"id": demo.project.pk, "name": "demo", "domain": domain}},
            }
        ]
    assert demo.client.get(f"{ASSIGNMENTS}?include_names=0").json()["role_assignments"] == [ids]


def test_assignment_filters(admin: Account, demo: Account) -> None:
    def count(query: str) -> int:
        return len(admin.client.get(f"{ASSIGNMENTS}?{query}").json()["role_assignments"])

    assert count(f"user.id={demo.user.pk}") == 1
    assert count(f"scope.project.id={demo.project.pk}") == 1
    assert count(f"role.id={role_id('member')}") == 1
    assert count(f"user.id={demo.user.pk}&role.id={role_id('admin')}") == 0
    assert count("group.id=any") == 0
    assert count("scope.domain.id=default") == 0
    assert count("scope.system=all") == 0
    assert count("scope.OS-INHERIT:inherited_to=projects") == 0


def test_list_costs_the_same_for_many(admin: Account, django_assert_num_queries: Any) -> None:
    for number in range(10):
        user = create_user(name=f"user-{number}")
        RoleAssignment.objects.create(user=user, project=admin.project, role_id=role_id("reader"))
    with django_assert_num_queries(2):  # the token and the list
        admin.client.get(f"{ASSIGNMENTS}?include_names")

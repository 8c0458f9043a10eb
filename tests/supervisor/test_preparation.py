"""The first users: made once, and then the operator's."""

import pytest

from storage_project.identity.models import Role, User
from storage_project.identity.services import update_user
from storage_project.supervisor.clouds import Account
from storage_project.supervisor.preparation import ensure_accounts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def member() -> None:
    Role.objects.get_or_create(name="member")


def demo(password: str, *, is_new: bool) -> Account:
    return Account("demo", password, "member", is_new=is_new)


def test_what_an_operator_has_changed_stays():
    ensure_accounts([demo("first", is_new=True)])
    update_user(user=User.objects.get(name="demo"), password="changed", enabled=False)
    ensure_accounts([demo("first", is_new=False)])
    user = User.objects.get(name="demo")
    assert user.check_password("changed")
    assert not user.enabled


def test_a_password_made_anew_becomes_the_valid_one():
    ensure_accounts([demo("first", is_new=True)])
    ensure_accounts([demo("second", is_new=True)])
    assert User.objects.get(name="demo").check_password("second")


def test_a_new_database_gets_the_password_that_was_there():
    ensure_accounts([demo("kept", is_new=False)])
    assert User.objects.get(name="demo").check_password("kept")

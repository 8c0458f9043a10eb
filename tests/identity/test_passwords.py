"""Checking passwords: refusals that tell nothing, and the brake on guessing."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.exceptions import APIException, AuthenticationFailed, Throttled

from storage_project.identity.models import FailedSignIns, User
from storage_project.identity.passwords import MAX_FAILURES, WINDOW, verify_password
from storage_project.identity.services import create_user, update_user
from tests.identity.conftest import PASSWORD, Account

ADDRESS = "192.0.2.1"


def refuse(address: str = ADDRESS, **who: str) -> APIException:
    with pytest.raises(APIException) as refusal:
        verify_password(address=address, **({"password": "wrong"} | who))
    return refusal.value


def fail(times: int, name: str = "demo", address: str = ADDRESS) -> None:
    for _ in range(times):
        assert isinstance(refuse(address, name=name), AuthenticationFailed)


def test_right_password_by_name_and_by_id(demo: Account) -> None:
    for who in ({"name": "demo"}, {"user_id": demo.user.pk}):
        assert verify_password(password=PASSWORD, address=ADDRESS, **who) == demo.user


def test_passwords_are_kept_as_scrypt(db: None, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
    user = create_user(name="ann", password="secret")
    assert user.password.startswith("scrypt$")
    assert "secret" not in user.password
    assert verify_password(name="ann", password="secret", address=ADDRESS) == user


def test_refusals_do_not_tell_who_exists(demo: Account) -> None:
    create_user(name="nobody's", password=None)
    create_user(name="disabled", password=PASSWORD, enabled=False)
    refusals = [
        refuse(name="demo"),
        refuse(name="unknown"),
        refuse(user_id="unknown"),
        refuse(name="nobody's", password=""),
        refuse(name="disabled", password=PASSWORD),
    ]
    assert {(type(refusal), str(refusal)) for refusal in refusals} == {
        (AuthenticationFailed, "The name or the password is wrong.")
    }


def test_unknown_users_take_as_long_as_known_ones(db: None, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
    create_user(name="known", password=PASSWORD)
    create_user(name="unusable", password=None)

    def cpu_s(name: str) -> float:
        begun = time.process_time()
        refuse(name=name)
        return time.process_time() - begun

    known, unknown, unusable = (
        min(cpu_s(name) for _ in range(3)) for name in ("known", "unknown", "unusable")
    )
    assert unknown == pytest.approx(known, rel=0.5)
    assert unusable == pytest.approx(known, rel=0.5)


@pytest.mark.parametrize("name", ["demo", "unknown"])
def test_too_many_failures_are_refused_even_with_the_right_password(
    demo: Account, name: str
) -> None:
    fail(MAX_FAILURES, name)
    refusal = refuse(name=name, password=PASSWORD)
    assert isinstance(refusal, Throttled)
    assert 0 < refusal.wait <= WINDOW.total_seconds()


def test_another_way_to_name_the_user_does_not_help(demo: Account) -> None:
    fail(MAX_FAILURES)
    assert isinstance(refuse(user_id=demo.user.pk, password=PASSWORD), Throttled)


def test_nobody_is_locked_out_from_elsewhere(demo: Account) -> None:
    fail(MAX_FAILURES)
    assert verify_password(name="demo", password=PASSWORD, address="192.0.2.2") == demo.user


def test_the_brake_is_released_after_a_while(demo: Account) -> None:
    fail(MAX_FAILURES)
    FailedSignIns.objects.update(window_ends_at=timezone.now() - timedelta(seconds=1))
    assert verify_password(name="demo", password=PASSWORD, address=ADDRESS) == demo.user


def test_a_success_forgets_the_failures(demo: Account) -> None:
    fail(MAX_FAILURES - 1)
    verify_password(name="demo", password=PASSWORD, address=ADDRESS)
    fail(MAX_FAILURES - 1)


def test_past_failures_are_cleared_away(demo: Account) -> None:
    fail(3, "someone")
    FailedSignIns.objects.update(window_ends_at=timezone.now() - timedelta(seconds=1))
    fail(1)
    assert FailedSignIns.objects.count() == 1


def test_nothing_that_was_typed_is_kept_or_logged(
    demo: Account, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    refuse(name="hunter2-as-name", password="hunter2")
    update_user(user=demo.user, password="hunter2")
    output = capfd.readouterr()
    assert "hunter2" not in output.out + output.err + caplog.text
    assert "hunter2" not in str([*FailedSignIns.objects.values()])
    assert "hunter2" not in str([*User.objects.values()])

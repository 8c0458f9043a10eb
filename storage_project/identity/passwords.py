"""The one place where a password is checked, with the brake on guessing."""

import hashlib
from datetime import timedelta

import structlog
from django.db.models import F, Q
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed, Throttled

from storage_project.identity.models import FailedSignIns, User

# Ten tries per five minutes for one user from one address: room for a person's bad day, and
# fewer than three thousand guesses a day. An address cannot lock a user out elsewhere.
MAX_FAILURES = 10
WINDOW = timedelta(minutes=5)

log = structlog.get_logger(__name__)


def verify_password(*, password: str, address: str, name: str = "", user_id: str = "") -> User:
    """Return the enabled user with this name (or id) and password.

    Raises AuthenticationFailed, in the same words and after the same work whether the user is
    unknown, disabled or the password wrong; Throttled after too many failures, known user or not.
    """
    user = User.objects.filter(Q(pk=user_id) if user_id else Q(name=name)).first()
    subject = _digest_subject(user.pk if user else user_id or name, address)
    _refuse_when_throttled(subject)
    # A user without a usable password costs one hashing too: Django sees to that.
    candidate = user or User(password="!")  # noqa: S106
    if candidate.check_password(password) and candidate.enabled:
        FailedSignIns.objects.filter(subject=subject).delete()
        return candidate
    _count_failure(subject)
    log.warning("sign-in refused", user_id=user.pk if user else None, address=address)
    raise AuthenticationFailed("The name or the password is wrong.")


def _digest_subject(who: str, address: str) -> str:
    return hashlib.sha256(f"{who}\n{address}".encode()).hexdigest()


def _refuse_when_throttled(subject: str) -> None:
    now = timezone.now()
    ends_at = (
        FailedSignIns.objects.filter(
            subject=subject, count__gte=MAX_FAILURES, window_ends_at__gt=now
        )
        .values_list("window_ends_at", flat=True)
        .first()
    )
    if ends_at is not None:
        raise Throttled(
            wait=(ends_at - now).total_seconds(),
            detail="Too many failed sign-ins with this name from this address.",
        )


def _count_failure(subject: str) -> None:
    now = timezone.now()
    current = FailedSignIns.objects.filter(subject=subject, window_ends_at__gt=now)
    if current.update(count=F("count") + 1):
        return
    FailedSignIns.objects.filter(window_ends_at__lte=now).delete()
    FailedSignIns.objects.bulk_create(
        [FailedSignIns(subject=subject, count=1, window_ends_at=now + WINDOW)],
        ignore_conflicts=True,  # two first failures at once count as one
    )

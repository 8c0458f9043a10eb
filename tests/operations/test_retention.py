"""What has had its time is deleted, and nothing else."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from storage_project.api.idempotency import delete_expired_replies
from storage_project.api.models import IdempotentReply
from storage_project.identity.models import FailedSignIns, Token, User
from storage_project.identity.retention import delete_expired_tokens
from storage_project.operations.models import Message, Operation, Transition
from storage_project.operations.retention import delete_expired_messages, delete_old_operations
from storage_project.operations.states import Status

pytestmark = pytest.mark.django_db

PAST = timezone.now() - timedelta(seconds=1)
FUTURE = timezone.now() + timedelta(hours=1)


def make_operation(ended_days_ago: int | None) -> Operation:
    ended = None if ended_days_ago is None else timezone.now() - timedelta(days=ended_days_ago)
    operation = Operation.objects.create(
        kind="volume.create",
        project_id="p",
        user_id="u",
        request_id="req-1",
        resource_type="volume",
        resource_id=uuid4(),
        status=Status.PENDING if ended is None else Status.SUCCEEDED,
        deadline_at=FUTURE,
        finished_at=ended,
    )
    Transition.objects.create(
        operation=operation,
        resource_type="volume",
        resource_id=operation.resource_id,
        became="available",
    )
    return operation


def test_operations_go_with_their_history_once_they_are_old(settings):
    settings.OPERATION_RETENTION_DAYS = 30
    make_operation(ended_days_ago=31)
    kept = {make_operation(ended_days_ago=29).pk, make_operation(ended_days_ago=None).pk}
    assert delete_old_operations() == 2
    assert set(Operation.objects.values_list("pk", flat=True)) == kept
    assert set(Transition.objects.values_list("operation", flat=True)) == kept


def test_messages_go_when_their_time_has_come():
    for expires_at in (PAST, FUTURE):
        Message.objects.create(
            project_id="p",
            request_id="req-1",
            resource_type="volume",
            resource_id=uuid4(),
            code="internal",
            sentence="…",
            expires_at=expires_at,
        )
    assert delete_expired_messages() == 1
    assert Message.objects.get().expires_at == FUTURE


def test_tokens_and_failed_sign_ins_go_when_their_time_has_come():
    user = User.objects.create(name="somebody")
    for digest, time in (("old", PAST), ("new", FUTURE)):
        Token.objects.create(digest=digest, user=user, issued_at=PAST, expires_at=time)
        FailedSignIns.objects.create(subject=digest, count=1, window_ends_at=time)
    assert delete_expired_tokens() == 2
    assert Token.objects.get().digest == "new"
    assert FailedSignIns.objects.get().subject == "new"


def test_idempotent_replies_go_after_a_day():
    for key, hours in (("old", 25), ("new", 23)):
        IdempotentReply.objects.create(
            project_id="p",
            user_id="u",
            key=key,
            fingerprint="f",
            created_at=timezone.now() - timedelta(hours=hours),
        )
    assert delete_expired_replies() == 1
    assert IdempotentReply.objects.get().key == "new"

"""Waiting for an operation: until it ends, not for ever, and never where it could not begin."""

from unittest.mock import Mock, patch

import pytest
from django.db import transaction

from storage_project.operations import waiting
from storage_project.operations.states import Status
from tests.factories import OperationFactory
from tests.operations.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_until_it_has_ended(world: World) -> None:
    volume = world.request_volume()
    with patch.object(waiting, "sleep", lambda _: world.engine.look()):
        operation = waiting.wait_for_latest("volume.create", volume.pk)
    assert operation is not None
    assert operation.status == Status.SUCCEEDED


def test_not_at_all_for_what_has_ended() -> None:
    ended = OperationFactory(status=Status.FAILED)
    with patch.object(waiting, "sleep", Mock(side_effect=AssertionError)):
        assert waiting.wait_for_latest(ended.kind, ended.resource_id) == ended
        assert waiting.wait_for_latest("volume.delete", ended.resource_id) is None


def test_for_the_latest_of_several() -> None:
    first = OperationFactory(status=Status.FAILED)
    second = OperationFactory(status=Status.SUCCEEDED, resource_id=first.resource_id)
    assert waiting.wait_for_latest(first.kind, first.resource_id) == second


def test_not_for_ever() -> None:
    endless = OperationFactory()
    with patch.object(waiting, "PATIENCE_S", 0.05):
        assert waiting.wait_for_latest(endless.kind, endless.resource_id) is None


def test_not_in_a_transaction_that_keeps_it_from_beginning() -> None:
    with transaction.atomic(), patch.object(waiting, "sleep", Mock(side_effect=AssertionError)):
        operation = OperationFactory()
        assert waiting.wait_for_latest(operation.kind, operation.resource_id) is None

"""What a volume is by its attachments, whoever changes them, and however many at once."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_project.api.faults import Fault, NotFound
from storage_project.identity.caller import Caller
from storage_project.operations.flow import StateConflict
from tests.factories import AttachmentFactory, VolumeFactory
from tests.operations.threads import at_once
from volumes.attachment_state import changing_attachments, status_at_rest, status_by
from volumes.models import Attachment, Volume
from volumes.services.attachments import (
    complete_attachment,
    create_attachment,
    delete_attachment,
)
from volumes.services.connections import attach_volume, begin_detaching, reserve_volume
from volumes.states import ATTACHMENT_STATUSES, BY_ATTACHMENTS, STATUSES

ROUNDS = 10


@pytest.mark.parametrize(
    ("attachments", "expected"),
    [
        ([], ("available", "detached")),
        (["error_attaching"], ("available", "detached")),
        (["reserved", "error_attaching"], ("reserved", "reserved")),
        (["reserved", "detaching"], ("detaching", "detaching")),
        (["reserved", "error_detaching"], ("detaching", "detaching")),
        (["detaching", "attaching", "reserved"], ("attaching", "attaching")),
        (["error_detaching", "attaching"], ("attaching", "attaching")),
        (["reserved", "attaching", "attached"], ("in-use", "attached")),
    ],
)
def test_the_furthest_attachment_decides(attachments: list[str], expected: tuple[str, str]) -> None:
    assert status_by(attachments) == expected


@given(st.lists(st.sampled_from(ATTACHMENT_STATUSES)))
def test_it_is_always_a_status_that_attachments_can_make(attachments: list[str]) -> None:
    status, attach_status = status_by(attachments)
    assert status in BY_ATTACHMENTS
    # Whoever may be writing to it makes it neither available nor merely reserved.
    if not {"attaching", "attached", "detaching", "error_detaching"}.isdisjoint(attachments):
        assert attach_status not in ("detached", "reserved")


@pytest.mark.django_db
class TestSettling:
    @pytest.mark.parametrize(("was", "became"), [*product(BY_ATTACHMENTS, ATTACHMENT_STATUSES)])
    def test_from_every_status_to_every_other(self, was: str, became: str) -> None:
        volume = VolumeFactory(status=was)
        with changing_attachments(volume.pk) as locked:
            AttachmentFactory(volume=locked, status=became)
        volume.refresh_from_db()
        assert (volume.status, volume.attach_status) == status_by([became])
        assert status_at_rest(volume) == volume.status

    @pytest.mark.parametrize("status", sorted(set(STATUSES) - set(BY_ATTACHMENTS)))
    def test_a_status_from_elsewhere_is_left_alone(self, status: str) -> None:
        volume = VolumeFactory(status=status)
        with changing_attachments(volume.pk) as locked:
            AttachmentFactory(volume=locked, status="attached")
        volume.refresh_from_db()
        assert (volume.status, volume.attach_status) == (status, "attached")
        assert status_at_rest(volume) == "in-use"

    def test_nothing_is_left_of_what_failed(self) -> None:
        volume = VolumeFactory()
        with suppress(ZeroDivisionError), changing_attachments(volume.pk) as locked:
            AttachmentFactory(volume=locked, status="attached")
            raise ZeroDivisionError
        volume.refresh_from_db()
        assert volume.status == "available"
        assert not Attachment.objects.exists()

    def test_a_volume_that_is_gone_is_not_found(self) -> None:
        volume = VolumeFactory()
        Volume.objects.all().delete()
        with pytest.raises(NotFound), changing_attachments(volume.pk):
            raise AssertionError


def outcomes_of(*acts: Callable[[], Any]) -> list[type]:
    return sorted((type(outcome) for outcome in at_once(*acts)), key=str)


def require_settled(volume: Volume) -> None:
    volume.refresh_from_db()
    found = {attachment.status for attachment in volume.attachments.all()}
    assert (volume.status, volume.attach_status) == status_by(found)


@pytest.mark.django_db(transaction=True)
class TestRaces:
    @pytest.fixture
    def acts(self, caller: Caller) -> list[Callable[[Volume], Any]]:
        """The ways to take a volume."""
        return [
            lambda volume: create_attachment(volume=volume, caller=caller),
            lambda volume: create_attachment(
                volume=volume, caller=caller, connector={"host": "somewhere"}
            ),
            lambda volume: reserve_volume(volume=volume, caller=caller),
        ]

    def test_of_several_that_take_a_volume_exactly_one_gets_it(
        self, acts: list[Callable[[Volume], Any]]
    ) -> None:
        for one, other in product(acts, acts):
            volume = VolumeFactory()
            outcomes = at_once(partial(one, volume), partial(other, volume))
            assert len([each for each in outcomes if isinstance(each, StateConflict)]) == 1, (
                outcomes
            )
            assert volume.attachments.count() == 1
            require_settled(volume)

    def test_of_two_hosts_that_attach_at_once_exactly_one_does(self, caller: Caller) -> None:
        for _ in range(ROUNDS):
            volume = VolumeFactory()
            attach = partial(
                attach_volume,
                volume=volume,
                caller=caller,
                server_id=None,
                mountpoint="/dev/vdb",
                attach_mode="rw",
            )
            hosts = (partial(attach, host_name=name) for name in ("one", "other"))
            assert outcomes_of(*hosts) == [type(None), StateConflict]
            require_settled(volume)
            assert volume.status == "in-use"

    def test_with_multiattach_all_get_it(self, acts: list[Callable[[Volume], Any]]) -> None:
        volume = VolumeFactory(multiattach=True)
        outcomes = at_once(*(partial(act, volume) for act in acts))
        assert not [each for each in outcomes if isinstance(each, Exception)], outcomes
        assert volume.attachments.count() == 3
        require_settled(volume)

    def test_of_several_that_go_the_last_one_frees_the_volume(self, caller: Caller) -> None:
        for _ in range(ROUNDS):
            volume = VolumeFactory(status="reserved", attach_status="reserved", multiattach=True)
            rows = [AttachmentFactory(volume=volume) for _ in range(3)]
            deletes = (partial(delete_attachment, attachment=each, caller=caller) for each in rows)
            assert at_once(*deletes) == [None] * 3
            require_settled(volume)
            assert volume.status == "available"

    def test_one_comes_while_another_goes(self, caller: Caller) -> None:
        for _ in range(ROUNDS):
            volume = VolumeFactory(status="in-use", attach_status="attached", multiattach=True)
            going = AttachmentFactory(volume=volume, status="attached")
            coming = AttachmentFactory(volume=volume, status="attaching")
            outcomes = at_once(
                partial(delete_attachment, attachment=going, caller=caller),
                partial(complete_attachment, attachment=coming),
                partial(create_attachment, volume=volume, caller=caller),
            )
            assert not [each for each in outcomes if isinstance(each, Exception)], outcomes
            require_settled(volume)
            assert volume.status == "in-use"

    def test_one_attachment_completed_and_deleted_at_once(self, caller: Caller) -> None:
        for _ in range(ROUNDS):
            volume = VolumeFactory(status="attaching", attach_status="attaching")
            row = AttachmentFactory(volume=volume, status="attaching")
            outcomes = at_once(
                partial(complete_attachment, attachment=row),
                partial(delete_attachment, attachment=row, caller=caller),
            )
            failures = [each for each in outcomes if isinstance(each, Exception)]
            assert all(isinstance(each, Fault) for each in failures)
            require_settled(volume)
            assert volume.status == "available"

    def test_of_two_that_begin_detaching_one_does(self) -> None:
        volume = VolumeFactory(status="in-use", attach_status="attached")
        AttachmentFactory(volume=volume, status="attached")
        begin = partial(begin_detaching, volume=volume)
        assert outcomes_of(begin, begin) == [type(None), StateConflict]
        require_settled(volume)
        assert volume.status == "detaching"

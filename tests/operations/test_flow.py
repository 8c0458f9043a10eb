"""Every move of every flow, from every status to every status; and what races for one."""

from functools import partial

import pytest
from django.db import transaction
from django.db.models import Q

from storage_project.operations.flow import (
    Flow,
    StateConflict,
    advance,
    advance_if_possible,
)
from storage_project.operations.models import Transition
from storage_project.operations.pipeline import pipelines
from tests.factories import (
    AttachmentFactory,
    BackupFactory,
    RepositoryFactory,
    SnapshotFactory,
    VolumeFactory,
)
from tests.operations.threads import at_once
from volumes.models import Volume

# A new resource with a flow needs a way to make a row of it.
FACTORIES = {
    "volume": VolumeFactory,
    "snapshot": SnapshotFactory,
    "attachment": AttachmentFactory,
    "backup": BackupFactory,
    "repository": RepositoryFactory,
}
FLOWS = {pipeline.model.flow.resource: pipeline.model.flow for pipeline in pipelines().values()}
MOVES = [
    pytest.param(flow, move, id=f"{flow.resource}.{move}")
    for flow in FLOWS.values()
    for move in flow.moves
]


def test_every_flow_has_a_factory() -> None:
    assert FACTORIES.keys() == FLOWS.keys()


@pytest.mark.django_db
@pytest.mark.parametrize(("flow", "name"), MOVES)
def test_leads_from_its_sources_to_its_targets_and_nowhere_else(flow: Flow, name: str) -> None:
    move = flow.moves[name]
    row = FACTORIES[flow.resource]()
    for was in flow.statuses:
        for target in flow.statuses:
            if target not in move.targets:
                with pytest.raises(ValueError, match="does not lead to"):
                    advance(row, name, to=target)
                continue
            set_status(row, was)
            if was in move.sources:
                advance(row, name, to=target)
                assert stored(row).status == row.status == target
            else:
                with pytest.raises(StateConflict, match=f"its status is {was}") as refusal:
                    advance(row, name, to=target)
                assert refusal.value.status_code == flow.refusal_code
                assert stored(row).status == row.status == was


@pytest.mark.django_db
@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_permits_what_a_move_leads_to(flow: Flow) -> None:
    for was in flow.statuses:
        for became in flow.statuses:
            leads = [move for move in flow.moves.values() if was in move.sources]
            assert flow.permits(was, became) == any(became in move.targets for move in leads)


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_every_transitional_status_can_be_left_again(flow: Flow) -> None:
    entered = {target for move in flow.moves.values() for target in move.targets}
    for status in flow.transitional & entered:
        assert any(
            status in move.sources and not flow.transitional.issuperset(move.targets)
            for move in flow.moves.values()
        ), status


@pytest.mark.django_db(transaction=True)
def test_of_two_that_race_for_a_move_exactly_one_wins() -> None:
    for flow in FLOWS.values():
        for move in flow.moves.values():
            row = FACTORIES[flow.resource](status=min(move.sources))
            racers = [type(row).objects.get(pk=row.pk) for _ in range(2)]
            outcomes = at_once(*(partial(move_in_transaction, each, move.name) for each in racers))
            assert {type(outcome) for outcome in outcomes} == {type(None), StateConflict}, move.name
            history = Transition.objects.filter(resource_id=row.pk)
            assert history.count() == 1


def move_in_transaction(row: Volume, name: str) -> None:
    with transaction.atomic():
        advance(row, name)


@pytest.mark.django_db
def test_sets_values_with_the_status_and_only_with_it() -> None:
    volume = VolumeFactory(status="extending", size_gib=1)
    advance(volume, "extended", size_gib=2)
    assert (stored(volume).status, stored(volume).size_gib, volume.size_gib) == ("available", 2, 2)
    assert not advance_if_possible(volume, "extended", size_gib=3)
    assert (stored(volume).size_gib, volume.size_gib) == (2, 2)


@pytest.mark.django_db
def test_a_further_condition_can_refuse_it() -> None:
    volume = VolumeFactory(status="available", size_gib=1)
    with pytest.raises(StateConflict):
        advance(volume, "extend", where=Q(size_gib=7))
    assert stored(volume).status == "available"


@pytest.mark.django_db
def test_a_row_that_is_gone_is_called_deleted() -> None:
    volume = VolumeFactory(status="available")
    Volume.objects.all().delete()
    with pytest.raises(StateConflict, match="its status is deleted"):
        advance(volume, "delete")


@pytest.mark.django_db
def test_leaves_a_history_row() -> None:
    volume = VolumeFactory(status="creating")
    advance(volume, "fail_create", note="It is broken.")
    move = Transition.objects.get(resource_id=volume.pk)
    assert (move.was, move.became, move.note) == ("creating", "error", "It is broken.")


def test_refuses_a_status_that_is_not_in_the_flow() -> None:
    with pytest.raises(ValueError, match=r"volume\.delete: unknown status deletd"):
        Flow.of("volume", statuses=["a"], transitional=[], moves={"delete": (["a"], "deletd")})


def set_status(row: Volume, status: str) -> None:
    type(row).objects.filter(pk=row.pk).update(status=status)
    row.status = status


def stored(row: Volume) -> Volume:
    return type(row).objects.get(pk=row.pk)

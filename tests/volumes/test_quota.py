"""Quotas are exact, also when many ask for the last of them at once."""

from functools import partial

import pytest
from django.db import transaction

from storage_project.api.faults import OverLimit
from storage_project.identity.caller import Caller
from tests.operations.consistency import require_consistent
from tests.operations.threads import at_once
from tests.operations.world import World
from volumes import quota
from volumes.models import QuotaUsage, Volume, VolumeType
from volumes.services.quotas import set_limits
from volumes.services.volumes import create_volume, delete_volume, extend_volume

PROJECT = "p" * 32
CLIENTS = 8


def take(charges: dict[str, int], *, column: str = "in_use") -> None:
    with transaction.atomic():
        quota.take(PROJECT, charges, limits=quota.limits_of(PROJECT), column=column)


def usage(project_id: str = PROJECT) -> dict[str, tuple[int, int]]:
    rows = QuotaUsage.objects.filter(project_id=project_id)
    return {row.resource: (row.in_use, row.reserved) for row in rows}


def limit(project_id: str = PROJECT, **limits: int) -> None:
    set_limits(project_id=project_id, limits=limits)


@pytest.mark.django_db
def test_what_is_taken_can_be_given_back() -> None:
    take({"volumes": 1, "gigabytes": 5})
    take({"gigabytes": 2}, column="reserved")
    assert usage() == {"volumes": (1, 0), "gigabytes": (5, 2)}
    with transaction.atomic():
        quota.settle(PROJECT, {"gigabytes": 2})
        quota.give_back(PROJECT, {"volumes": 1, "gigabytes": 5})
    assert usage() == {"volumes": (0, 0), "gigabytes": (2, 0)}


@pytest.mark.django_db
def test_what_is_reserved_counts_too() -> None:
    limit(gigabytes=10)
    take({"gigabytes": 4})
    take({"gigabytes": 4}, column="reserved")
    with pytest.raises(OverLimit, match="Requested 3G, quota is 10G and 8G has been consumed"):
        take({"gigabytes": 3})
    take({"gigabytes": 2})


@pytest.mark.django_db
def test_who_is_refused_one_thing_gets_none_of_the_others() -> None:
    limit(volumes=0)
    with pytest.raises(OverLimit, match=r"Maximum number of volumes allowed \(0\) exceeded"):
        take({"gigabytes": 1, "volumes": 1})
    assert set(usage().values()) <= {(0, 0)}


@pytest.mark.django_db
def test_a_limit_is_the_projects_own_or_the_default_for_all_or_ours(
    default_type: VolumeType,
) -> None:
    assert quota.limits_of(PROJECT)["volumes"] == quota.DEFAULTS["volumes"]
    limit("", volumes=7, gigabytes=70)
    limit(PROJECT, volumes=3)
    assert quota.limits_of(PROJECT)["volumes"] == 3
    assert quota.limits_of(PROJECT)["gigabytes"] == 70
    assert quota.limits_of("another")["volumes"] == 7


@pytest.mark.django_db
def test_a_type_may_have_a_limit_of_its_own(caller: Caller, default_type: VolumeType) -> None:
    assert caller.project_id
    limit(caller.project_id, **{f"volumes_{default_type.name}": 1})
    create_volume(caller=caller, size_gib=1, volume_type=default_type)
    with pytest.raises(OverLimit):
        create_volume(caller=caller, size_gib=1, volume_type=default_type)


@pytest.mark.django_db
def test_minus_one_is_no_limit() -> None:
    limit(gigabytes=quota.UNLIMITED)
    take({"gigabytes": 10**9})


@pytest.mark.django_db(transaction=True)
def test_of_many_creates_at_once_exactly_as_many_succeed_as_there_is_room(
    caller: Caller, default_type: VolumeType
) -> None:
    assert caller.project_id
    limit(caller.project_id, volumes=11, gigabytes=1000)

    def create_three() -> int:
        created = 0
        for _ in range(3):
            try:
                create_volume(caller=caller, size_gib=2, volume_type=default_type)
            except OverLimit:
                continue
            created += 1
        return created

    assert sum(at_once(*[create_three] * CLIENTS)) == 11
    assert usage(caller.project_id) == {
        "volumes": (11, 0),
        "gigabytes": (22, 0),
        f"volumes_{default_type.name}": (11, 0),
        f"gigabytes_{default_type.name}": (22, 0),
    }
    assert Volume.objects.count() == 11


@pytest.mark.django_db(transaction=True)
def test_of_many_extends_at_once_exactly_as_many_succeed_as_there_is_room(world: World) -> None:
    assert world.caller.project_id
    volumes = [world.request_volume() for _ in range(CLIENTS)]
    world.engine.run()
    limit(world.caller.project_id, gigabytes=CLIENTS + 3 * 2)
    volumes = [*Volume.objects.all()]
    outcomes = at_once(
        *(
            partial(extend_volume, volume=volume, new_size_gib=3, caller=world.caller)
            for volume in volumes
        )
    )
    assert outcomes.count(None) == 3
    assert all(outcome is None or isinstance(outcome, OverLimit) for outcome in outcomes)
    world.engine.run()
    require_consistent()
    assert usage(world.caller.project_id)["gigabytes"] == (CLIENTS + 6, 0)


@pytest.mark.django_db(transaction=True)
def test_creates_extends_and_deletes_at_once_add_up(world: World) -> None:
    assert world.caller.project_id
    limit(world.caller.project_id, volumes=-1, gigabytes=30)
    for _ in range(CLIENTS):
        world.request_volume()
    world.engine.run()
    first, *rest = Volume.objects.all()
    acts = [
        *(partial(delete_volume, volume=each, caller=world.caller) for each in rest[:3]),
        *(
            partial(extend_volume, volume=each, new_size_gib=5, caller=world.caller)
            for each in rest[3:]
        ),
        *[partial(world.request_volume, size_gib=3)] * 3,
        # Two that want the same volume: one of them is refused.
        partial(delete_volume, volume=Volume.objects.get(pk=first.pk), caller=world.caller),
        partial(extend_volume, volume=first, new_size_gib=2, caller=world.caller),
    ]
    at_once(*acts)
    world.engine.run(workers=4)
    require_consistent()

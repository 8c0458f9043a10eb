"""Pools as the scheduler sees them, and the room that is promised in them."""

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import BooleanField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Concat, Now

from storage_project.operations.states import DATA_QUEUES
from volumes.models import Pool, Service, Volume
from volumes.scheduler.capacity import limit_gib
from volumes.scheduler.request import PoolState

# A service whose heartbeat is older than this is down; it beats every 10 s.
DOWN_AFTER = timedelta(seconds=60)
# What the worker that makes copies is called, on each repository that it reaches.
BACKUP_BINARY = "cinder-backup"

IS_UP = ExpressionWrapper(
    Q(heartbeat_at__gt=Now() - DOWN_AFTER, down_reason=""), output_field=BooleanField()
)
# A backend whose driver cannot tell how it stands is not reported, though its worker lives.
POOL_IS_UP = ExpressionWrapper(
    Q(service__heartbeat_at__gt=Now() - DOWN_AFTER, reported_at__gt=Now() - DOWN_AFTER),
    output_field=BooleanField(),
)

# The scheduler's values, as columns. Composed once: that takes longer than the query.
STATES = Pool.objects.values(
    "id",
    "total_gib",
    "free_gib",
    "allocated_gib",
    "allocated_volumes",
    "thin",
    "max_over_subscription_ratio",
    "reserved_percentage",
    "preference",
    "capabilities",
    host=Concat("service__host", Value("#"), "name"),
    backend_name=F("backend"),
    availability_zone=F("service__availability_zone"),
    enabled=F("service__enabled"),
    disabled_reason=F("service__disabled_reason"),
    up=POOL_IS_UP,
)


def pool_states() -> list[PoolState]:
    """Every pool as it is now, in one query."""
    return [PoolState(**row) for row in STATES.all()]


def pool_state(pool: Pool) -> PoolState:
    """One pool as it is now."""
    return PoolState(**STATES.get(pk=pool.pk))


def reserve_room(pool: PoolState, size_gib: int, *, volumes: int = 1) -> bool:
    """Promise room in a pool with one conditional UPDATE; False when somebody else has taken it."""
    return bool(
        Pool.objects.filter(pk=pool.id, allocated_gib__lte=limit_gib(pool) - size_gib).update(
            allocated_gib=F("allocated_gib") + size_gib,
            allocated_volumes=F("allocated_volumes") + volumes,
        )
    )


def release_room(pool_id: int, size_gib: int, *, volumes: int = 1) -> None:
    """Take a promise back."""
    Pool.objects.filter(pk=pool_id).update(
        allocated_gib=F("allocated_gib") - size_gib,
        allocated_volumes=F("allocated_volumes") - volumes,
    )


def lock_pools(pool_ids: Iterable[int]) -> dict[int, PoolState]:
    """Pools by id, as they are until the transaction ends.

    Who promises room in several locks them first, in the order that everybody takes.
    """
    locked = Pool.objects.select_for_update().order_by("pk").filter(pk__in=pool_ids)
    ids = list(locked.values_list("pk", flat=True))
    return {row["id"]: PoolState(**row) for row in STATES.filter(pk__in=ids)}


def placed(volume: Volume) -> Pool:
    """The pool that holds a volume; schedule has chosen it before anybody asks."""
    assert volume.pool is not None
    return volume.pool


def queue_of(host: str) -> str:
    """The queue of the workers that reach the pool `host@backend#pool`."""
    return f"volume.{host.partition('#')[0]}"


def copy_queue(pool: Pool | PoolState) -> str:
    """Where volumes of the pool are copied: what takes its time must not hold up the rest."""
    if pool.capabilities.get("fast_copies"):
        return queue_of(pool.host)
    return DATA_QUEUES + pool.host.partition("@")[0]


def machines_beside(repository: str) -> frozenset[str]:
    """The machines that reach a repository: those where it is up, if there is any such."""
    reporting = Service.objects.filter(binary=BACKUP_BINARY, host__endswith=f"@{repository}")
    found = dict(reporting.values_list("host", IS_UP))
    able = {host for host, is_up in found.items() if is_up} or found.keys()
    return frozenset(host.partition("@")[0] for host in able)


def beat(binary: str, host: str, availability_zone: str, *, down_reason: str = "") -> Service:
    """Say that a service is alive; with a `down_reason`, that it cannot work all the same."""
    told = {"availability_zone": availability_zone, "down_reason": down_reason}
    service, created = Service.objects.get_or_create(binary=binary, host=host, defaults=told)
    if not created:
        Service.objects.filter(pk=service.pk).update(heartbeat_at=Now(), **told)
    return service

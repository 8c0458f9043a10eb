"""Hints place a volume beside, or away from, other volumes of the same project."""

from dataclasses import replace

from tests.operations.world import World
from volumes.models import Volume
from volumes.services.volumes import create_volume


def request(world: World, hints: dict[str, list[str]]) -> Volume:
    volume = create_volume(
        caller=world.caller, size_gib=1, volume_type=world.volume_type, hints=hints
    )
    world.engine.run()
    return Volume.objects.get(pk=volume.pk)


def test_beside_and_away_from(world: World):
    first = world.volume()
    beside = request(world, {"same_host": [str(first.pk)]})
    away = request(world, {"different_host": [str(first.pk)]})
    assert beside.pool == first.pool
    assert away.status == "available"
    assert away.pool != first.pool


def test_of_other_projects_nothing_is_to_be_learned(world: World):
    """Where a foreign volume is must not show, so a hint at it is a hint at nothing."""
    foreign = world.volume()
    stranger = replace(world, caller=replace(world.caller, project_id="c" * 32))
    assert request(stranger, {"same_host": [str(foreign.pk)]}).status == "error"
    assert request(stranger, {"different_host": [str(foreign.pk)]}).status == "available"

"""One request of each kind, for the crash matrix. A new pipeline needs one entry in `SCENARIOS`."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.operations.world import World
from volumes.models import Volume
from volumes.services.volumes import delete_volume, extend_volume


@dataclass(frozen=True)
class Scenario:
    """`prepare` makes what the request needs; `request` asks, and does not wait."""

    prepare: Callable[[World], Volume | None]
    request: Callable[[World, Volume], object]


SCENARIOS = {
    "volume.create": Scenario(
        prepare=lambda world: None,
        request=lambda world, _: world.request_volume(),
    ),
    "volume.delete": Scenario(
        prepare=World.volume,
        request=lambda world, volume: delete_volume(volume=volume, caller=world.caller),
    ),
    "volume.extend": Scenario(
        prepare=World.volume,
        request=lambda world, volume: extend_volume(
            volume=volume, new_size_gib=3, caller=world.caller
        ),
    ),
}

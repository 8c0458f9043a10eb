"""What apps above can make a volume from: each registers its function when it starts, under the
name that a request body has for the source.
"""

from collections.abc import Callable

from volumes.models import Volume

# Called with `caller`, `source_id` and what the request says of the volume: `size_gib`,
# `volume_type`, `name`, `description`, `availability_zone`, `metadata` and `hints`, each None where
# it says nothing.
makers: dict[str, Callable[..., Volume]] = {}

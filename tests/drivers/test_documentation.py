from dataclasses import fields
from pathlib import Path

import pytest

from drivers.errors import Reason
from drivers.loading import DRIVERS, load

DOCUMENT = (Path(__file__).parents[2] / "docs/drivers.md").read_text()


@pytest.mark.parametrize("name", DRIVERS["volume"])
def test_every_option_is_explained(name):
    _, _, rest = DOCUMENT.partition(f"\n### {name}\n")
    section, _, _ = rest.partition("\n## ")
    section, _, _ = section.partition("\n### ")
    for option in fields(load("volume", name).Options):
        assert f"`{option.name}`" in section


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained(reason):
    assert f"| `{reason.value}` |" in DOCUMENT

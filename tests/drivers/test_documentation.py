from dataclasses import fields
from pathlib import Path

import pytest

from drivers.errors import Reason
from drivers.loading import DRIVERS, load

DOCUMENT = (Path(__file__).parents[2] / "docs/drivers.md").read_text()


CHAPTERS = {
    "volume": "The drivers that ship",
    "export": "Export drivers",
    "hypervisor": "Hypervisor drivers",
    "repository": "Repository drivers",
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in CHAPTERS for name in DRIVERS[kind]]
)
def test_every_option_is_explained(kind, name):
    _, _, chapter = DOCUMENT.partition(f"\n## {CHAPTERS[kind]}\n")
    _, _, rest = chapter.partition(f"\n### {name}\n")
    section, _, _ = rest.partition("\n## ")
    section, _, _ = section.partition("\n### ")
    for option in fields(load(kind, name).Options):
        assert f"`{option.name}`" in section


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained(reason):
    assert f"| `{reason.value}` |" in DOCUMENT

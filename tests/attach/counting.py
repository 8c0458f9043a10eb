"""A guest that writes 1, 2, 3, … to a disk, round and round: each number is on the disk before the
next one is written. So a copy of the disk shows whether it is of a single moment."""

from pathlib import Path

from storage_project.tour.guest.agent import SECTOR_BYTES, Agent

DIGITS = 20
# The file is empty for a moment whenever it is written.
NOW = 'n=; while [ -z "$n" ]; do n=$(cat /run/counted 2> /dev/null || echo 0); done; echo $n'


class Counter:
    """The counting of a guest, while it goes on."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.last = 0  # the number that was written last, once it has ended

    def now(self) -> int:
        """A number that is on the disk."""
        return int(self._agent.run(NOW))

    def wait_for(self, number: int) -> None:
        """Return once this number is on the disk."""
        self._agent.run(f"until [ $({NOW}) -ge {number} ]; do sleep 0.05; done")


def counted(path: Path, sectors: int) -> int:
    """The last number in a file. Asserts that those before it are there, each in its place: all
    that were written until some moment, and none that was written later."""
    with path.open("rb") as file:
        found = [file.read(SECTOR_BYTES)[:DIGITS] for _ in range(sectors)]
    numbers = [int(each) if each.strip(b"\0") else 0 for each in found]
    last = max(numbers)
    expected = [0] * sectors
    for number in range(max(1, last - sectors + 1), last + 1):
        expected[(number - 1) % sectors] = number
    assert numbers == expected
    return last

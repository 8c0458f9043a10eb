"""The file driver with the faults of the simulator: slow enough to be killed in the middle."""

from dataclasses import dataclass
from pathlib import Path

from drivers.faults import FaultOptions, Faults, faulty
from drivers.volume.file import FileDriver


class FaultyFileDriver(FileDriver):
    @dataclass(frozen=True, kw_only=True)
    class Options(FileDriver.Options, FaultOptions):
        pass

    options: Options

    def __init__(self, options: Options, *, name: str, home: Path) -> None:
        super().__init__(options, name=name, home=home)
        self.faults = Faults(options)

    create_volume = faulty(FileDriver.create_volume)
    delete_volume = faulty(FileDriver.delete_volume)
    extend_volume = faulty(FileDriver.extend_volume)
    open_reader = faulty(FileDriver.open_reader)
    open_writer = faulty(FileDriver.open_writer)

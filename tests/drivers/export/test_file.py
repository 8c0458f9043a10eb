import pytest

from drivers.export.base import Connector, Export
from drivers.export.file import FileExport
from drivers.options import read_options
from tests.contracts.export_driver import FileExportContract, new_id


class TestFileExport(FileExportContract):
    lists_exports = False

    @pytest.fixture
    def driver(self, tmp_path):
        return FileExport(FileExport.Options(), name="file", home=tmp_path)

    def image_options(self, info, export):
        return f"driver=file,filename={info['data']['device_path']}"


def test_only_this_machine_can_attach(tmp_path):
    options = read_options(FileExport.Options, {"host": "here"}, where="exports.file")
    driver = FileExport(options, name="file", home=tmp_path)
    hints = {"kind": "file", "path": "/"}
    assert driver.refusal(hints, Connector(host="here")) is None
    assert "on the machine" in driver.refusal(hints, Connector(host="there"))


def test_nova_is_told_to_give_the_file_to_the_guest_as_a_file(tmp_path):
    """Which it does for volumes of GPFS, and os-brick, without privileges, just tells the path."""
    path = tmp_path / "volume"
    path.touch()
    export = Export(
        export_id=new_id(),
        volume_id=new_id(),
        hints={"kind": "file", "path": str(path)},
        connector=Connector(host="here"),
    )
    info = FileExport(FileExport.Options(), name="file", home=tmp_path).publish(export)
    assert info["driver_volume_type"] == "gpfs"
    assert info["data"]["device_path"] == str(path)

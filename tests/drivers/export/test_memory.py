import pytest

from drivers.errors import DriverError, Reason
from drivers.export.base import Connector, Export
from drivers.export.memory import MemoryExport
from drivers.faults import Fault
from drivers.options import read_options
from tests.contracts.export_driver import ExportContract, new_id


def memory_export(tmp_path, **options) -> MemoryExport:
    checked = read_options(MemoryExport.Options, options, where="exports.memory")
    return MemoryExport(checked, name="memory", home=tmp_path)


class TestMemoryExport(ExportContract):
    @pytest.fixture
    def driver(self, tmp_path):
        return memory_export(tmp_path)

    @pytest.fixture
    def new_volume(self):
        return lambda: {"kind": "memory"}


@pytest.fixture
def export():
    return Export(
        export_id=new_id(),
        volume_id=new_id(),
        hints={"kind": "memory"},
        connector=Connector(host="host-a"),
        secret="s",
    )


def test_a_lost_reply_leaves_the_effect(tmp_path, export):
    driver = memory_export(tmp_path)
    driver.faults.next("publish", Fault.lost_reply())
    with pytest.raises(DriverError):
        driver.publish(export)
    assert [each.export_id for each in driver.list_exports()] == [export.export_id]
    driver.faults.next("revoke", Fault.failure())
    with pytest.raises(DriverError):
        driver.revoke(export.export_id, host="host-a")
    assert driver.list_exports()


def test_every_act_can_fail_by_chance(tmp_path, export):
    driver = memory_export(tmp_path, failure_rate=1.0)
    for act in (
        lambda: driver.publish(export),
        lambda: driver.extend(export),
        lambda: driver.revoke(export.export_id, host="host-a"),
    ):
        with pytest.raises(DriverError) as caught:
            act()
        assert caught.value.code == Reason.failed
    assert driver.list_exports() == []

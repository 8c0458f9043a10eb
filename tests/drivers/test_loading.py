import pytest

from drivers.errors import ConfigurationError
from drivers.loading import DRIVERS, INTERFACES, load
from drivers.volume.file import FileDriver


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in DRIVERS.items() for name in names]
)
def test_every_shipped_driver_loads_and_can_be_made(kind, name):
    driver = load(kind, name)
    assert issubclass(driver, INTERFACES[kind])
    assert not driver.__abstractmethods__


def test_a_driver_of_somebody_else_is_found_by_its_path():
    assert load("volume", "drivers.volume.file.FileDriver") is FileDriver


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("fil", "there is no volume driver 'fil'; did you mean file?"),
        ("zfs", "there is no volume driver 'zfs'; known are file, memory"),
        ("no.such.Driver", "volume driver no.such.Driver: does not import: No module named 'no'"),
        ("drivers.volume.file.Nothing", "the module drivers.volume.file has no Nothing"),
        ("drivers.units.GIB", "volume driver drivers.units.GIB: is not a VolumeDriver"),
        ("pathlib.Path", "volume driver pathlib.Path: is not a VolumeDriver"),
        (".x", "there is no volume driver '.x'"),
    ],
)
def test_a_wrong_name_is_explained(name, sentence):
    with pytest.raises(ConfigurationError) as caught:
        load("volume", name)
    assert sentence in str(caught.value)

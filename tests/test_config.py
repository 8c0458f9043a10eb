"""The TOML file: a mistake stops the start with a sentence that names the key."""

from pathlib import Path

import pytest

from drivers.errors import ConfigurationError
from drivers.hypervisor.memory import MemoryHypervisor
from drivers.volume.file import FileDriver
from storage_project.config import load_configuration


@pytest.fixture
def load(tmp_path: Path):
    def load(toml: str):
        path = tmp_path / "storage.toml"
        path.write_text(toml)
        return load_configuration(path)

    return load


def test_an_absent_file_is_an_empty_configuration(tmp_path):
    assert load_configuration(tmp_path / "none.toml").backends == {}


def test_a_backend_with_what_khoi_and_its_driver_read(load):
    backend = load(
        """
        [backends.fast]
        driver = "file"
        path = "volumes/fast"
        preference = 7
        """
    ).backends["fast"]
    assert backend.driver_class is FileDriver
    assert backend.options.path == Path("volumes/fast")
    assert (backend.name, backend.preference, backend.availability_zone) == ("fast", 7, "nova")


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("nonsense", "storage.toml: "),
        ("[backend.fast]", "backend: unknown table; known are"),
        (
            '[repositories.main]\ndriver = "tape"',
            "repositories.main.driver: there is no repository",
        ),
        ('[repositories.main]\ndriver = "directory"', "repositories.main.path: missing"),
        (
            '[repositories.main]\ndriver = "memory"\nkey_file = "a"\npassphrase_file = "b"',
            "repositories.main.passphrase_file: give it or key_file, not both",
        ),
        (
            '[repositories.main]\ndriver = "memory"\nmax_calls = -1',
            "repositories.main.max_calls: must be at least 0",
        ),
        ("copies = 1", "copies: must be a table"),
        ("[copies]\nworker = 1", "copies.worker: unknown key; did you mean workers?"),
        ("[copies]\nworkers = 0", "copies.workers: must be at least 1"),
        ("backends = 1", "backends: must be tables"),
        ("[backends]\nfast = 1", "backends.fast: must be a table"),
        ('[backends."a b"]\ndriver = "file"', "backends.a b: a name is letters, digits"),
        ("[backends.fast]", "backends.fast.driver: missing"),
        (
            '[backends.fast]\ndriver = "fil"',
            "backends.fast.driver: there is no volume",
        ),
        ('[backends.fast]\ndriver = "file"', "backends.fast.path: missing"),
        (
            '[backends.fast]\ndriver = "file"\npth = "x"\npath = "x"',
            "backends.fast.pth: unknown key; did you mean path?",
        ),
        (
            '[backends.fast]\ndriver = "memory"\nreserved_percentage = 100',
            "backends.fast.reserved_percentage: must be at most 99",
        ),
        (
            '[backends.fast]\ndriver = "memory"\nmax_over_subscription_ratio = 0.5',
            "backends.fast.max_over_subscription_ratio: must be at least 1",
        ),
        ('[backends.fast]\ndriver = "memory"\nworkers = "2"', "backends.fast.workers: must be"),
        (
            '[backends.fast]\ndriver = "memory"\nexports = "nbd"',
            "backends.fast.exports: must be",
        ),
        (
            '[backends.fast]\ndriver = "memory"\nexports = ["ndb"]',
            "exports.ndb.driver: there is no export",
        ),
        ("[exports.nbd]\nhots = 'x'", "exports.nbd.hots: unknown key; did you mean host?"),
        ("[hypervisors.lab]", "hypervisors.lab.driver: missing"),
        (
            '[hypervisors.lab]\ndriver = "qemo"',
            "hypervisors.lab.driver: there is no hypervisor",
        ),
        ('[hypervisors.lab]\ndriver = "qemu"', "hypervisors.lab.sockets: missing"),
        (
            '[hypervisors.lab]\ndriver = "memory"\nservers = ["one"]\nworkers = 0',
            "hypervisors.lab.workers: must be at least 1",
        ),
    ],
)
def test_a_mistake_is_named(load, toml, sentence):
    with pytest.raises(ConfigurationError) as caught:
        load(toml)
    assert str(caught.value).startswith(sentence)


def test_a_backend_has_the_exports_of_its_driver_unless_it_says_others(load):
    configuration = load(
        """
        [backends.fast]
        driver = "file"
        path = "volumes/fast"
        [backends.slow]
        driver = "file"
        path = "volumes/slow"
        exports = ["nbd", "file"]
        """
    )
    assert configuration.backends["fast"].exports == ["file"]
    assert configuration.backends["slow"].exports == ["nbd", "file"]
    assert configuration.exports.keys() == {"file", "nbd"}


def test_an_export_reaches_this_machine_alone_unless_it_says_otherwise(load, settings):
    settings.STORAGE_HOST = "box"
    exports = load(
        """
        [backends.fast]
        driver = "file"
        path = "volumes/fast"
        exports = ["file", "shared"]
        [exports.shared]
        driver = "file"
        host = ""
        """
    ).exports
    assert (exports["file"].options.host, exports["shared"].options.host) == ("box", "")
    assert exports["file"].driver_class is exports["shared"].driver_class


def test_a_hypervisor(load):
    hypervisor = load(
        """
        [hypervisors.lab]
        driver = "memory"
        servers = ["one"]
        workers = 4
        """
    ).hypervisors["lab"]
    assert hypervisor.driver_class is MemoryHypervisor
    assert (hypervisor.name, hypervisor.project, hypervisor.workers) == ("lab", "demo", 4)
    assert hypervisor.options.servers == ["one"]


def test_what_copies_may_take(load):
    copies = load("").copies
    assert (copies.workers, copies.bytes_per_s) == (2, 0)
    copies = load("[copies]\nworkers = 5\nbytes_per_s = 100_000_000").copies
    assert (copies.workers, copies.bytes_per_s) == (5, 100_000_000)

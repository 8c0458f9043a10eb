"""The TOML file: a mistake stops the start with a sentence that names the key."""

from pathlib import Path

import pytest

from drivers.errors import ConfigurationError
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
    ],
)
def test_a_mistake_is_named(load, toml, sentence):
    with pytest.raises(ConfigurationError) as caught:
        load(toml)
    assert str(caught.value).startswith(sentence)

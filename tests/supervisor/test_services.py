"""How the processes are started."""

from pathlib import Path

import pytest

from storage_project.config import Backend, load_configuration
from storage_project.supervisor import services


@pytest.fixture
def backend(tmp_path: Path):
    def make(driver: str, more: str = "") -> Backend:
        path = tmp_path / "storage.toml"
        path.write_text(f'[backends.it]\ndriver = "{driver}"\nworkers = 3\n{more}')
        return load_configuration(path).backends["it"]

    return make


def test_a_backend_is_served_by_as_many_processes_as_it_has_workers(backend):
    argv = services.volume(backend("file", 'path = "it"')).argv
    assert "--concurrency=3" in argv
    assert "--pool=threads" not in argv


def test_a_backend_in_the_memory_of_a_process_is_served_by_threads_of_one(backend):
    argv = services.volume(backend("memory")).argv
    assert "--concurrency=3" in argv
    assert "--pool=threads" in argv

"""How the processes are started."""

from pathlib import Path

import pytest

from storage_project.config import Backend, Copies, Hypervisor, load_configuration
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


def test_all_copies_of_a_machine_are_threads_of_one_process():
    argv = services.data(Copies(workers=5)).argv
    assert {"--concurrency=5", "--pool=threads"} <= {*argv}


@pytest.fixture
def hypervisors(tmp_path: Path):
    def make(*drivers: str) -> list[Hypervisor]:
        options = {"memory": 'servers = ["one"]', "qemu": 'sockets = "servers"'}
        path = tmp_path / "storage.toml"
        path.write_text(
            "\n".join(
                f'[hypervisors.{driver}]\ndriver = "{driver}"\nworkers = 3\n{options[driver]}'
                for driver in drivers
            )
        )
        return [*load_configuration(path).hypervisors.values()]

    return make


def test_all_hypervisors_of_a_machine_are_served_together(hypervisors, settings):
    settings.STORAGE_HOST = "box"
    argv = services.compute(hypervisors("qemu")).argv
    assert {"--queues=compute.box", "--concurrency=3"} <= {*argv}
    assert "--pool=threads" not in argv
    argv = services.compute(hypervisors("qemu", "memory")).argv
    assert {"--concurrency=6", "--pool=threads"} <= {*argv}


def test_exports_end_after_the_workers_that_publish_them():
    assert services.exports().stop_order > services.control().stop_order

"""How the processes are started."""

from storage_project.config import Backend
from storage_project.supervisor import services


def backend(driver: str) -> Backend:
    return Backend(name="it", driver=driver, workers=3, options={})


def test_a_backend_is_served_by_as_many_processes_as_it_has_workers():
    argv = services.volume(backend("file")).argv
    assert "--concurrency=3" in argv
    assert "--pool=threads" not in argv


def test_a_backend_in_the_memory_of_a_process_is_served_by_threads_of_one():
    argv = services.volume(backend("memory")).argv
    assert "--concurrency=3" in argv
    assert "--pool=threads" in argv

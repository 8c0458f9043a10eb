import pytest

from storage_project.tour.guest import images
from storage_project.tour.guest.agent import Agent
from storage_project.tour.guest.cpio import Archive
from storage_project.tour.guest.images import why_unavailable


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_without_qemu_the_reason_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why_unavailable() == "QEMU is not installed (Debian: qemu-system-x86)."


def test_without_debian_the_reason_is_a_sentence(monkeypatch, tmp_path):
    (tmp_path / images.QEMU).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why_unavailable() == (
        "The guest is made of Debian's packages, and there is no apt-get here."
    )


def test_packages_that_cannot_be_fetched_are_a_reason(monkeypatch, tmp_path):
    (tmp_path / images.QEMU).symlink_to("/bin/true")
    (tmp_path / "apt-get").write_text("#!/bin/sh\necho 'E: no network' >&2\nexit 100\n")
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why_unavailable() == "apt-get failed: E: no network."
    assert [*(tmp_path / "cache/khoi").iterdir()] == []


def test_an_archive_is_one_that_linux_unpacks():
    archive = Archive()
    archive.add_folder("bin")
    archive.add_file("bin/hello", b"hello", executable=True)
    content = archive.end()
    assert len(content) % 4 == 0
    assert content.startswith(b"070701" + b"%08X" % 1 + b"%08X" % 0o040755)
    assert content.index(b"TRAILER!!!\0") > content.index(b"hello\0\0\0") > 0


def test_a_disk_that_comes_while_disks_are_listed_is_for_the_next_look(monkeypatch):
    listed = "vda 2097152 0 a-serial\nvdb  0\nvdc 4\n"
    monkeypatch.setattr(Agent, "run", lambda self, command: listed)
    agent = Agent.__new__(Agent)
    assert [(disk.name, disk.serial) for disk in agent.disks()] == [("vda", "a-serial")]

"""What the guest boots: a kernel and a first file system, unpacked from two Debian packages.

Nothing is installed, and no special rights are needed. What was made once is kept in the user's
cache, so that only the first start needs the network.
"""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from storage_project.tour.guest.cpio import Archive

QEMU = "qemu-system-x86_64"
KERNEL = "linux-image-cloud-amd64"  # depends on the package of the newest kernel
BUSYBOX = "busybox-static"
# In the order in which they need each other.
MODULES = (
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_blk",
)
INIT = Path(__file__).with_name("init.sh")
# What decides how the guest comes out: when it changes, the guest is made anew.
RECIPE = (INIT, Path(__file__), Path(__file__).with_name("cpio.py"))
TIMEOUT_S = 60  # for all that is fetched


class GuestUnavailableError(Exception):
    """This machine cannot run the guest; the sentence says what it lacks."""


@dataclass(frozen=True, slots=True)
class Images:
    """The files that QEMU boots."""

    kernel: Path
    initrd: Path


def why_unavailable() -> str | None:
    """Why this machine cannot run the guest, as a sentence; None when it can.

    Takes some seconds and the network, the first time.
    """
    try:
        prepare_images()
    except GuestUnavailableError as error:
        return str(error)
    return None


def prepare_images() -> Images:
    """What the guest boots, made now unless it was before. Raises `GuestUnavailableError`."""
    if shutil.which(QEMU) is None:
        raise GuestUnavailableError("QEMU is not installed (Debian: qemu-system-x86).")
    folder = _folder()
    if not folder.is_dir():
        _make(folder)
    return Images(kernel=folder / "vmlinuz", initrd=folder / "initrd")


def must_be_fetched() -> bool:
    """Whether `prepare_images` needs the network, and time."""
    return shutil.which(QEMU) is not None and not _folder().is_dir()


def _folder() -> Path:
    recipe = hashlib.sha256(b"".join(path.read_bytes() for path in RECIPE))
    return cache_folder() / f"guest-{recipe.hexdigest()[:12]}"


def cache_folder() -> Path:
    """The folder of this user for what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "khoi"


def _make(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix="draft-") as draft:
            _unpack_guest(Path(draft))
            made = Path(draft) / folder.name
            made.mkdir()
            (Path(draft) / "vmlinuz").rename(made / "vmlinuz")
            (Path(draft) / "initrd").rename(made / "initrd")
            if not folder.is_dir():  # somebody else may have been faster, with the same
                made.rename(folder)
    except OSError as error:
        raise GuestUnavailableError(f"The guest could not be made: {error}.") from error


def _unpack_guest(draft: Path) -> None:
    debian = _Debian(draft)
    archive = Archive()
    for name in ("bin", "dev", "mnt", "modules", "proc", "run", "sys", "tmp"):
        archive.add_folder(name)
    archive.add_file("init", INIT.read_bytes(), executable=True)
    with debian.package(BUSYBOX) as package:
        for path, content in _files(package):
            if path == PurePosixPath("bin/busybox"):
                archive.add_file("bin/busybox", content, executable=True)
    modules = set(MODULES)
    with debian.package(debian.newest_kernel()) as package:
        for path, content in _files(package):
            if path.name.startswith("vmlinuz-"):
                (draft / "vmlinuz").write_bytes(content)
            elif path.suffix == ".ko" and path.stem in modules:
                archive.add_file(f"modules/{path.name}", content)
                modules.remove(path.stem)
    if modules:
        raise GuestUnavailableError(f"Debian's kernel has no {' and no '.join(sorted(modules))}.")
    archive.add_file("modules/order", "".join(f"{name}.ko\n" for name in MODULES).encode())
    (draft / "initrd").write_bytes(archive.end())


def _files(package: tarfile.TarFile) -> Iterator[tuple[PurePosixPath, bytes]]:
    for member in package:
        if member.isfile() and (content := package.extractfile(member)):
            yield PurePosixPath(member.name), content.read()


class _Debian:
    """Debian's packages, fetched into a folder; all of them within a limited time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._deadline = time.monotonic() + TIMEOUT_S

    def newest_kernel(self) -> str:
        """The package that has the kernel; its name has the version in it."""
        for line in self._run("apt-cache", "depends", KERNEL).decode().splitlines():
            label, _, package = line.strip().partition(": ")
            if label == "Depends" and package.startswith("linux-image-"):
                return package
        raise GuestUnavailableError(f"apt does not know {KERNEL} (Debian, on x86-64, has it).")

    @contextmanager
    def package(self, name: str) -> Iterator[tarfile.TarFile]:
        """The files of a package."""
        self._run("apt-get", "download", "-qq", name)
        (deb,) = self._folder.glob(f"{name}_*.deb")
        content = self._run("dpkg-deb", "--fsys-tarfile", str(deb))
        with tarfile.open(fileobj=io.BytesIO(content)) as package:
            yield package

    def _run(self, *command: str) -> bytes:
        try:
            return subprocess.run(  # noqa: S603 - our own command lines
                command,
                cwd=self._folder,
                check=True,
                capture_output=True,
                timeout=max(0.0, self._deadline - time.monotonic()),
            ).stdout
        except FileNotFoundError as error:
            raise GuestUnavailableError(
                f"The guest is made of Debian's packages, and there is no {command[0]} here."
            ) from error
        except subprocess.TimeoutExpired as error:
            raise GuestUnavailableError(
                f"Debian's packages could not be fetched within {TIMEOUT_S} s."
            ) from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise GuestUnavailableError(f"{command[0]} failed: {said[-1]}.") from error

"""Writes the archive that Linux unpacks as its first file system (cpio, the "newc" format)."""

FOLDER = 0o040755
FILE = 0o100644
PROGRAM = 0o100755


class Archive:
    """A cpio archive that grows in memory. Everything in it belongs to root."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._count = 0

    def add_folder(self, path: str) -> None:
        self._add(path, FOLDER)

    def add_file(self, path: str, content: bytes, *, executable: bool = False) -> None:
        self._add(path, PROGRAM if executable else FILE, content)

    def end(self) -> bytes:
        """The whole archive; nothing may be added after this."""
        self._add("TRAILER!!!", 0)
        return b"".join(self._parts)

    def _add(self, path: str, mode: int, content: bytes = b"") -> None:
        self._count += 1
        name = path.encode() + b"\0"
        links = 2 if mode == FOLDER else 1
        # Inode, mode, user, group, links, time, size, two devices, length of the name, checksum.
        fields = (self._count, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._parts += [_aligned(header + name), _aligned(content)]


def _aligned(part: bytes) -> bytes:
    return part + bytes(-len(part) % 4)

"""The units that names end in, `size_gib`, `min_free_mib`, and sizes in words."""

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40


def shown_bytes(size_bytes: float) -> str:
    """A size in the largest unit that it reaches: `1.5 GiB`, `12 bytes`."""
    for unit, name in ((TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:,.1f}".removesuffix(".0") + f" {name}"
    return f"{size_bytes:.0f} bytes"

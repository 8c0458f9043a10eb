"""The units that names in this package end in: `size_gib`, `min_free_mib`."""

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

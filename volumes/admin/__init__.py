"""The console's pages of block storage: volumes, snapshots, types, where they are, quotas."""

from volumes.admin import places, quotas, snapshots, types, volumes  # noqa: F401

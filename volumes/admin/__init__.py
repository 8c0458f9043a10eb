"""The console's pages of block storage: volumes, snapshots, attachments, types, where they are,
quotas."""

from volumes.admin import attachments, places, quotas, snapshots, types, volumes  # noqa: F401

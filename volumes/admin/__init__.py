"""The console's pages of block storage: volumes, their types, where they are, quotas."""

from volumes.admin import places, quotas, types, volumes  # noqa: F401

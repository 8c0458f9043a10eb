"""The console's pages of block storage: volumes, snapshots, attachments, servers, types, where they
are, quotas."""

from volumes.admin import (  # noqa: F401
    attachments,
    places,
    quotas,
    servers,
    snapshots,
    types,
    volumes,
)

"""Which of these tests run on which database, and the chance in them."""

import logging
import os
import secrets

import pytest

log = logging.getLogger(__name__)

# Only PostgreSQL is a process that can be killed, and has two dispatchers; and what has nothing to
# do with the database is not tested on both.
ON_POSTGRESQL = ["test_postgresql_killed.py", "test_schedules.py"]
ON_SQLITE = ["test_backup_kills.py", "test_interruptions.py", "test_silent_backend.py"]
collect_ignore = ON_SQLITE if os.environ.get("DATABASE_URL") else ON_POSTGRESQL


@pytest.fixture
def seed() -> int:
    """What all chance in a test comes from; pytest shows it when the test fails."""
    number = int(os.environ.get("CHAOS_SEED") or secrets.randbits(32))
    log.warning("CHAOS_SEED=%d", number)
    return number

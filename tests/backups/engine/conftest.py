"""Every engine test gets a vault: a repository in memory, not encrypted unless it says so."""

from pathlib import Path

import pytest

from backups.engine.keys import Secret
from tests.backups.engine.vault import Vault


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path)


@pytest.fixture(params=["plain", "encrypted"])
def any_vault(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    """Not encrypted, and encrypted."""
    secrets = [] if request.param == "plain" else [Secret.key_file(bytes(range(32)))]
    return Vault(tmp_path, secrets=secrets)

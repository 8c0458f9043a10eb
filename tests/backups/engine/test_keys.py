"""Keys: who has one of the secrets opens the repository, and nobody else."""

from pathlib import Path

import pytest

from backups.engine.keys import Secret
from backups.engine.repository import (
    create_repository,
    open_repository,
    open_without_key,
)
from drivers.errors import DriverError, Reason
from tests.backups.engine.test_damage import small_image, spoil
from tests.backups.engine.vault import Vault, content, memory_driver

FILE = Secret.key_file(b"0123456789abcdef" * 2)
PASSPHRASE = Secret.passphrase("correct horse battery staple")


def test_every_secret_opens_the_same_repository(tmp_path: Path) -> None:
    vault = Vault(tmp_path, secrets=[FILE, PASSPHRASE])
    manifest = vault.back_up(small_image()).manifest
    exported = Secret.exported(vault.repository.export_key() + "\n")
    for secret in (FILE, PASSPHRASE, exported):
        vault.repository = open_repository(vault.driver, secret, cache=tmp_path)
        assert content(vault.restored(manifest)) == content(small_image())


def test_a_passphrase_is_the_same_however_it_is_typed(tmp_path: Path) -> None:
    driver = memory_driver()
    create_repository(
        driver, [Secret.passphrase("caf\N{LATIN SMALL LETTER E WITH ACUTE}")], cache=tmp_path
    )
    open_repository(driver, Secret.passphrase("cafe\N{COMBINING ACUTE ACCENT}"), cache=tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        Secret.passphrase("correct horse"),
        Secret.key_file(b"another key file, long enough...."),
        Secret.exported("khoi-master-key-1:" + "ab" * 32),
    ],
    ids=lambda secret: secret.kind,
)
def test_a_wrong_secret_opens_nothing(tmp_path: Path, wrong: Secret) -> None:
    vault = Vault(tmp_path, secrets=[FILE, PASSPHRASE])
    with pytest.raises(DriverError, match="does not open") as caught:
        open_repository(vault.driver, wrong, cache=tmp_path)
    assert caught.value.code == Reason.invalid


def test_encrypted_or_not_must_be_as_expected(tmp_path: Path) -> None:
    encrypted, plain = Vault(tmp_path, secrets=[FILE]), Vault(tmp_path)
    with pytest.raises(DriverError, match="is encrypted"):
        open_repository(encrypted.driver, None, cache=tmp_path)
    with pytest.raises(DriverError, match="not encrypted"):
        open_repository(plain.driver, FILE, cache=tmp_path)


def test_a_config_that_was_changed_does_not_open(tmp_path: Path) -> None:
    """Else who can write to the repository could turn encryption off."""
    vault, other = Vault(tmp_path, secrets=[FILE]), Vault(tmp_path)
    vault.driver.put("config", [other.driver.get("config")])
    for stored in other.driver.list_objects("keys/"):
        vault.driver.put(stored.key, [other.driver.get(stored.key)])
    with pytest.raises(DriverError, match="not encrypted"):
        open_repository(vault.driver, FILE, cache=tmp_path)


def test_keys_come_and_go(tmp_path: Path) -> None:
    vault = Vault(tmp_path, secrets=[FILE])
    (first,) = vault.driver.list_objects("keys/")
    with pytest.raises(DriverError, match="last key"):
        vault.repository.remove_key(bytes.fromhex(first.key.partition("/")[2]))
    vault.repository.add_key(PASSPHRASE)
    vault.repository.remove_key(bytes.fromhex(first.key.partition("/")[2]))
    open_repository(vault.driver, PASSPHRASE, cache=tmp_path)
    with pytest.raises(DriverError, match="does not open"):
        open_repository(vault.driver, FILE, cache=tmp_path)


def test_a_damaged_wrapper_does_not_stop_the_others(tmp_path: Path) -> None:
    vault = Vault(tmp_path, secrets=[FILE])
    damaged = vault.repository.add_key(PASSPHRASE)
    spoil(vault, f"keys/{damaged.hex()}", 20)
    open_repository(vault.driver, FILE, cache=tmp_path)
    with pytest.raises(DriverError, match="damaged"):
        open_repository(vault.driver, PASSPHRASE, cache=tmp_path)


def test_there_is_one_repository_or_none(tmp_path: Path) -> None:
    driver = memory_driver()
    with pytest.raises(DriverError, match="no repository here") as caught:
        open_repository(driver, None, cache=tmp_path)
    assert caught.value.code == Reason.not_found
    create_repository(driver, [], cache=tmp_path)
    with pytest.raises(DriverError, match="already"):
        create_repository(driver, [], cache=tmp_path)


def test_no_data_is_readable_in_an_encrypted_repository(tmp_path: Path) -> None:
    vault = Vault(tmp_path, secrets=[FILE])
    manifest = vault.back_up(small_image(), metadata={"name": "quarterly figures"}).manifest
    stored = b"".join(vault.driver.get(each.key) for each in vault.driver.list_objects(""))
    for known in (b"texttext", b"quarterly", manifest.project_id.encode(), bytes(range(200))):
        assert known not in stored
    locked = open_without_key(vault.driver, cache=tmp_path)
    assert list(locked.list_refs()) == [manifest.ref]
    with pytest.raises(DriverError, match="without its key"):
        locked.read_manifest(manifest.ref)


def test_projects_share_no_blocks(any_vault: Vault) -> None:
    one = any_vault.back_up(small_image(), project_id="one").manifest
    two = any_vault.back_up(small_image(), project_id="two").manifest
    again = any_vault.back_up(small_image(), project_id="two", parent=one.ref).manifest
    assert one.new_bytes == two.new_bytes > 0
    assert not set(one.pages) & set(two.pages)
    assert again.new_bytes == 0
    assert again.parent_id is None

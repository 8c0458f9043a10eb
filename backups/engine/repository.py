"""A repository: opened with a key, and asked for what is in it.

config                          what it is; written last when it is made
keys/<id>                       the master key, wrapped
packs/<2 hex>/<id>              blocks and pages of maps
index/<id>                      where they are
backups/<volume>/<backup>       manifests
tombstones/<epoch>/<id>         packs that will be deleted
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from backups.engine.claims import Claims
from backups.engine.format import (
    BLOCK_BYTES,
    CONFIG_KEY,
    FORMAT,
    ID_BYTES,
    NULL_DIGEST,
    PAGE_BLOCKS,
    PAGE_BYTES,
    corrupt,
    decode_document,
    encode_document,
    id_in_key,
    key_of_pack,
    key_of_wrapped_key,
    require_format,
)
from backups.engine.frames import FrameReader
from backups.engine.index import Index
from backups.engine.keys import (
    Keys,
    Secret,
    check_value,
    export_master_key,
    new_master_key,
    unwrap,
    wrap,
)
from backups.engine.manifest import BackupRef, Manifest, decode_manifest, ref_in_key
from drivers.errors import DriverError, Reason
from drivers.repository.base import Buffer, RepositoryDriver


class Repository:
    """One repository, opened. Threads share it; a process opens each repository once, so that its
    backups know of each other's blocks."""

    def __init__(
        self, driver: RepositoryDriver, repository_id: bytes, keys: Keys | None, cache: Path
    ) -> None:
        self.driver = driver
        self.repository_id = repository_id
        self.index = Index(driver, cache / repository_id.hex())
        self.claims = Claims()
        self._keys = keys

    @property
    def keys(self) -> Keys:
        """Raises `invalid` when it was opened without a key."""
        if self._keys is None:
            raise DriverError("The repository is opened without its key.", code=Reason.invalid)
        return self._keys

    @property
    def encrypts(self) -> bool:
        return self.keys.encrypts

    # Manifests

    def list_refs(self, volume_id: str | None = None) -> Iterator[BackupRef]:
        """Every backup, or those of one volume, ordered by their ids; by name only."""
        prefix = "backups/" if volume_id is None else f"backups/{volume_id}/"
        return (ref_in_key(stored.key) for stored in self.driver.list_objects(prefix))

    def read_manifest(self, ref: BackupRef) -> Manifest:
        """Raises `not_found`, `corrupt`."""
        try:
            data = self.driver.get(ref.key)
        except DriverError as error:
            if error.code != Reason.not_found:
                raise
            raise DriverError(
                "The backup is not in the repository.", code=Reason.not_found, detail=ref.key
            ) from error
        return decode_manifest(data, self.keys, ref)

    def has_backup(self, ref: BackupRef) -> bool:
        return any(each == ref for each in self.list_refs(ref.volume_id))

    def delete_backup(self, ref: BackupRef) -> None:
        """Delete a backup; one that is not there is deleted. Its space comes back by `collect`."""
        self.driver.delete([ref.key])

    # Blocks and pages

    def read_plain(self, digest: bytes, project_id: str, frames: FrameReader) -> Buffer:
        """A block or a page, proved by its digest. Raises `corrupt` when no whole copy is left."""
        try:
            return self.read_known(digest, project_id, frames)
        except DriverError as error:
            if error.code != Reason.corrupt:
                raise
        self.index.refresh()  # it may be elsewhere since
        return self.read_known(digest, project_id, frames)

    def read_known(self, digest: bytes, project_id: str, frames: FrameReader) -> Buffer:
        """The same, from where the index says that it is."""
        damage = unknown_block(digest)
        for place in self.index.find_all(digest):
            key = key_of_pack(place.pack_id)
            cipher = self.keys.pack_cipher(place.pack_id) if self.encrypts else None
            try:
                stored = self.driver.get_range(key, place.offset, place.length)
                return frames.read(stored, place, digest, cipher, self.keys.digest_key(project_id))
            except DriverError as error:
                if error.code == Reason.corrupt:
                    damage = error
                elif error.code == Reason.not_found:
                    damage = corrupt("A pack of the repository is missing.", key)
                else:
                    raise
        raise damage

    def read_page(self, digest: bytes, project_id: str, frames: FrameReader) -> bytes:
        """A page of a map; the null digest is a page of null digests. Raises `corrupt`."""
        if digest == NULL_DIGEST:
            return bytes(PAGE_BYTES)
        page = bytes(self.read_plain(digest, project_id, frames))
        if len(page) != PAGE_BYTES:
            raise corrupt("A page of the backup's map is damaged.", digest.hex())
        return page

    # Keys

    def add_key(self, secret: Secret) -> bytes:
        """Let this secret open the repository too; return the id of the wrapper."""
        if not self.encrypts:
            raise DriverError("The repository is not encrypted.", code=Reason.invalid)
        wrapper_id = os.urandom(ID_BYTES)
        fields = wrap(self.keys.master, secret, self.driver.get(CONFIG_KEY))
        self.driver.put(key_of_wrapped_key(wrapper_id), [encode_document(fields)])
        return wrapper_id

    def list_keys(self, secret: Secret | None = None) -> dict[bytes, str]:
        """The wrappers by id, each with its kind; with a secret only those that it opens."""
        config = self.driver.get(CONFIG_KEY)
        found = {}
        for stored in self.driver.list_objects("keys/"):
            try:
                fields = decode_document(self.driver.get(stored.key), stored.key)
            except DriverError as error:
                if error.code != Reason.corrupt:
                    raise
                fields = {"kind": "damaged"}
            if secret is None or unwrap(fields, secret, config) == self.keys.master:
                found[id_in_key(stored.key)] = fields["kind"]
        return found

    def remove_key(self, wrapper_id: bytes) -> None:
        """Let a secret no longer open it. Raises `not_found`, and `invalid` for the last."""
        wrappers = {id_in_key(stored.key) for stored in self.driver.list_objects("keys/")}
        if wrapper_id not in wrappers:
            raise DriverError("The repository has no such key.", code=Reason.not_found)
        if len(wrappers) == 1:
            raise DriverError("This is the last key of the repository.", code=Reason.invalid)
        self.driver.delete([key_of_wrapped_key(wrapper_id)])

    def export_key(self) -> str:
        """The master key as text, for `Secret.exported`. Whoever has it can read every backup."""
        return export_master_key(self.keys.master)


def unknown_block(digest: bytes) -> DriverError:
    """The error of a block that no index knows."""
    return corrupt(
        "The index of the repository does not know a block of the backup. Rebuild the index; if "
        "that does not help, the block is lost.",
        f"digest {digest.hex()}",
    )


def create_repository(
    driver: RepositoryDriver, secrets: Sequence[Secret], *, cache: Path
) -> Repository:
    """Make a repository that any of the secrets opens; with none it is not encrypted.

    `cache` is a local folder for what is looked up often; processes may share it. Raises `invalid`
    when there is one already.
    """
    if _read_config(driver) is not None:
        raise DriverError("There is a repository here already.", code=Reason.invalid)
    repository_id, master = os.urandom(ID_BYTES), new_master_key()
    config = encode_document(
        {
            "format": FORMAT,
            "repository_id": repository_id.hex(),
            "block_bytes": BLOCK_BYTES,
            "page_blocks": PAGE_BLOCKS,
            "digest": "blake3-keyed",
            "encryption": "aes-256-gcm" if secrets else "none",
            "key_check": check_value(master),
        }
    )
    for secret in secrets or (None,):
        wrapper = encode_document(wrap(master, secret, config))
        driver.put(key_of_wrapped_key(os.urandom(ID_BYTES)), [wrapper])
    if not driver.put_new(CONFIG_KEY, [config]):
        raise DriverError("There is a repository here already.", code=Reason.invalid)
    keys = Keys(master, repository_id, encrypts=bool(secrets))
    return Repository(driver, repository_id, keys, cache)


def open_repository(driver: RepositoryDriver, secret: Secret | None, *, cache: Path) -> Repository:
    """Open a repository; `secret` is None when it is not encrypted.

    Raises `not_found` where there is none, `invalid` when the secret is not one of its own.
    """
    data, config = _require_config(driver)
    repository_id = bytes.fromhex(config["repository_id"])
    encrypts = config["encryption"] != "none"
    if encrypts and secret is None:
        raise DriverError("The repository is encrypted: its key is needed.", code=Reason.invalid)
    if secret is not None and not encrypts:
        raise DriverError(
            "A key was given, but this repository is not encrypted.", code=Reason.invalid
        )
    master = _find_master_key(driver, secret, data, config["key_check"])
    return Repository(driver, repository_id, Keys(master, repository_id, encrypts=encrypts), cache)


def open_without_key(driver: RepositoryDriver, *, cache: Path) -> Repository:
    """Open a repository for what needs no key: names, stored checksums, rebuilding the index."""
    _, config = _require_config(driver)
    return Repository(driver, bytes.fromhex(config["repository_id"]), None, cache)


def _find_master_key(
    driver: RepositoryDriver, secret: Secret | None, config: bytes, key_check: str
) -> bytes:
    """The master key that `key_check` is of: wrappers of another may lie there as well, left by a
    creation that did not come to its end."""
    damage: DriverError | None = None
    if secret is not None and secret.kind == "master" and check_value(secret.material) == key_check:
        return secret.material
    for stored in driver.list_objects("keys/"):
        try:
            fields = decode_document(driver.get(stored.key), stored.key)
        except DriverError as error:
            damage = error
            continue
        master = unwrap(fields, secret, config)
        if master is not None and check_value(master) == key_check:
            return master
    raise damage or DriverError("The key does not open this repository.", code=Reason.invalid)


def _read_config(driver: RepositoryDriver) -> bytes | None:
    try:
        return driver.get(CONFIG_KEY)
    except DriverError as error:
        if error.code == Reason.not_found:
            return None
        raise


def _require_config(driver: RepositoryDriver) -> tuple[bytes, dict[str, Any]]:
    data = _read_config(driver)
    if data is None:
        raise DriverError("There is no repository here.", code=Reason.not_found)
    config = decode_document(data, CONFIG_KEY)
    require_format(config["format"], CONFIG_KEY)
    if (config["block_bytes"], config["page_blocks"]) != (BLOCK_BYTES, PAGE_BLOCKS):
        raise corrupt("The configuration of the repository is damaged.", CONFIG_KEY)
    return data, config

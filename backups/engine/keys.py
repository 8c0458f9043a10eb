"""Keys: one master key per repository, wrapped for whoever may open it, and what follows from it.

wrapper (passphrase, key file, or none) -> master key -> digest key of each project
                                                      -> cipher of each pack
                                                      -> cipher of the manifests
"""

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Self

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from backups.engine.format import ID_BYTES, corrupt
from drivers.errors import DriverError, Reason

KEY_BYTES = 32
NONCE_BYTES = 12
SHORTEST_KEY_FILE = 32
SCRYPT = {"n": 1 << 15, "r": 8, "p": 3}  # 32 MiB of memory, about 0.3 s
EXPORT_PREFIX = "khoi-master-key-1"

Kind = Literal["passphrase", "key_file", "master"]


@dataclass(frozen=True, slots=True)
class Secret:
    """What opens a repository."""

    kind: Kind
    material: bytes

    @classmethod
    def passphrase(cls, text: str) -> Self:
        """A text that a person remembers; however it is typed, the same letters are the same."""
        if not text:
            raise DriverError("The passphrase is empty.", code=Reason.invalid)
        return cls("passphrase", unicodedata.normalize("NFKC", text).encode())

    @classmethod
    def key_file(cls, content: bytes) -> Self:
        """The content of a file: at least 32 bytes that nobody can guess."""
        if len(content) < SHORTEST_KEY_FILE:
            raise DriverError(
                f"A key file holds at least {SHORTEST_KEY_FILE} random bytes.", code=Reason.invalid
            )
        return cls("key_file", content)

    @classmethod
    def exported(cls, text: str) -> Self:
        """The master key itself, as `export_master_key` wrote it down."""
        prefix, _, written = text.strip().partition(":")
        if prefix != EXPORT_PREFIX:
            raise DriverError("This is not an exported key.", code=Reason.invalid)
        try:
            return cls("master", bytes.fromhex(written))
        except ValueError as error:
            raise DriverError("The exported key is damaged.", code=Reason.invalid) from error


def export_master_key(master: bytes) -> str:
    """The master key as one line of text. Whoever has it can read every backup."""
    return f"{EXPORT_PREFIX}:{master.hex()}"


def new_master_key() -> bytes:
    return os.urandom(KEY_BYTES)


def check_value(master: bytes) -> str:
    """What tells a right master key from a wrong one, and nothing else about it."""
    return blake3(master, derive_key_context="khoi 1 key check").digest(length=8).hex()


def wrap(master: bytes, secret: Secret | None, bound_to: bytes) -> dict[str, Any]:
    """The fields of a wrapper. It opens only with the same `bound_to`.

    Without a secret the key lies open: it then only keeps the digests of projects apart.
    """
    if secret is None:
        return {"kind": "none", "master_key": master.hex()}
    if secret.kind == "master":
        raise DriverError("An exported key cannot wrap a key.", code=Reason.invalid)
    salt, nonce = os.urandom(16), os.urandom(NONCE_BYTES)
    fields: dict[str, Any] = {"kind": secret.kind, "salt": salt.hex(), "nonce": nonce.hex()}
    if secret.kind == "passphrase":
        fields |= SCRYPT
    wrapped = AESGCM(_wrapping_key(secret, fields)).encrypt(nonce, master, bound_to)
    return {**fields, "wrapped": wrapped.hex()}


def unwrap(fields: Mapping[str, Any], secret: Secret | None, bound_to: bytes) -> bytes | None:
    """The master key, or None when the secret does not open this wrapper."""
    if secret is None:
        return bytes.fromhex(fields["master_key"]) if fields["kind"] == "none" else None
    if fields["kind"] != secret.kind:
        return None
    try:
        cipher = AESGCM(_wrapping_key(secret, fields))
        nonce, wrapped = bytes.fromhex(fields["nonce"]), bytes.fromhex(fields["wrapped"])
        return cipher.decrypt(nonce, wrapped, bound_to)
    except InvalidTag:
        return None


def _wrapping_key(secret: Secret, fields: Mapping[str, Any]) -> bytes:
    salt = bytes.fromhex(fields["salt"])
    if secret.kind == "key_file":
        return _derive(secret.material, salt, b"khoi 1 key file")
    # The numbers come from the repository: whoever can write there must not exhaust our memory.
    if fields["n"] * fields["r"] > 1 << 21 or fields["p"] > 16:
        raise corrupt("A key of the repository is damaged.", "costs of scrypt")
    kdf = Scrypt(salt=salt, length=KEY_BYTES, n=fields["n"], r=fields["r"], p=fields["p"])
    return kdf.derive(secret.material)


def _derive(material: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=purpose).derive(material)


class Keys:
    """Everything that follows from the master key of one repository."""

    def __init__(self, master: bytes, repository_id: bytes, *, encrypts: bool) -> None:
        self.master = master
        self.encrypts = encrypts
        self._repository_id = repository_id
        self.pack_cipher = lru_cache(maxsize=1024)(self._pack_cipher)
        self.digest_key = lru_cache(maxsize=1024)(self._digest_key)
        self.manifest_cipher = AESGCM(self._subkey(b"khoi 1 manifests"))

    def domain(self, project_id: str) -> bytes:
        """A name for the project's digests that does not tell which project it is."""
        return blake3(b"domain", key=self.digest_key(project_id)).digest(length=ID_BYTES)

    def _digest_key(self, project_id: str) -> bytes:
        return self._subkey(b"khoi 1 digests " + project_id.encode())

    def _pack_cipher(self, pack_id: bytes) -> AESGCM:
        return AESGCM(self._subkey(b"khoi 1 pack " + pack_id))

    def _subkey(self, purpose: bytes) -> bytes:
        return _derive(self.master, self._repository_id, purpose)

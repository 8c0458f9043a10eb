"""The key that a repository is opened with: a file of this machine, named in the configuration."""

from pathlib import Path

from django.conf import settings

from backups.engine.keys import EXPORT_PREFIX, Secret
from backups.repositories import configured
from drivers.errors import ConfigurationError, DriverError


def secret_of(name: str) -> Secret | None:
    """What opens `[repositories.<name>]`; None when it is not encrypted. `ConfigurationError` names
    the key of the table whose file is no good."""
    repository = configured(name)
    where = f"repositories.{name}."
    return read_secret(repository.key_file, repository.passphrase_file, where=where)


def read_secret(
    key_file: Path | None, passphrase_file: Path | None, *, where: str = ""
) -> Secret | None:
    """The secret in one of the files, whose paths begin at the home folder. A key file may also
    hold an exported key, as it was printed."""
    try:
        if key_file:
            where += "key_file"
            content = (settings.STORAGE_HOME / key_file).read_bytes()
            if content.startswith(EXPORT_PREFIX.encode()):
                return Secret.exported(content.decode())
            return Secret.key_file(content)
        if passphrase_file:
            where += "passphrase_file"
            text = (settings.STORAGE_HOME / passphrase_file).read_text()
            return Secret.passphrase(text.rstrip("\r\n"))
    except OSError as error:
        raise ConfigurationError(f"{where}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{where}: is no text") from None
    except DriverError as error:
        raise ConfigurationError(f"{where}: {error.sentence}") from None
    return None

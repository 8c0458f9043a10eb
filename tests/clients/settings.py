"""The settings of the Khoi here. A client signs in with every command, and scrypt is meant to be
slow."""

from storage_project.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

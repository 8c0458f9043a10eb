"""The settings, for processes that people sign in to all the time: scrypt is meant to be slow."""

from storage_project.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

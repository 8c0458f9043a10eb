"""A browser on the console."""

import pytest
from django.conf import settings
from django.test import Client

from tests.factories import UserFactory


@pytest.fixture
def console() -> Client:
    """A browser in which an operator is signed in."""
    client = Client()
    client.force_login(UserFactory(is_staff=True), backend=settings.AUTHENTICATION_BACKENDS[0])
    return client

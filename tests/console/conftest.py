import pytest
from django.conf import settings
from django.test import Client

from storage_project.identity.models import User
from tests.factories import UserFactory


@pytest.fixture
def operator(db: None) -> User:
    return UserFactory(is_staff=True)


@pytest.fixture
def console(operator: User) -> Client:
    """A browser in which an operator is signed in."""
    client = Client()
    client.force_login(operator, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client

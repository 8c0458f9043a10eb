"""Ports: taken early, and refused with the name of what to change."""

import socket

import pytest

from drivers.errors import ConfigurationError
from storage_project.supervisor.addresses import (
    Address,
    address_of,
    find_flower_address,
    listen_for_api,
)


def test_listens_on_this_machine_alone_unless_asked(monkeypatch):
    monkeypatch.setenv("STORAGE_PORT", "0")
    monkeypatch.delenv("STORAGE_ADDRESS", raising=False)
    with listen_for_api() as listener:
        address = address_of(listener)
        assert address.host == "127.0.0.1"
        socket.create_connection((address.host, address.port)).close()


def test_a_taken_port_names_the_setting(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("FLOWER_PORT", str(other.getsockname()[1]))
        with pytest.raises(ConfigurationError, match="FLOWER_PORT: cannot listen"):
            find_flower_address()


@pytest.mark.parametrize("text", ["http", "-1", "65536"])
def test_a_port_must_be_one(monkeypatch, text):
    monkeypatch.setenv("STORAGE_PORT", text)
    with pytest.raises(ConfigurationError, match=f"STORAGE_PORT: must be a port number.*{text}"):
        listen_for_api()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8776"),
        ("0.0.0.0", "http://127.0.0.1:8776"),
        ("::", "http://[::1]:8776"),
    ],
)
def test_the_url_is_one_that_a_client_here_can_use(host, url):
    assert Address(host, 8776).url == url

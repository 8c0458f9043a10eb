"""Messages whose connection is gone when a worker begins with them."""

from kombu import Connection

from storage_project.celery import Receipts


def test_nothing_is_acknowledged_over_a_connection_that_is_gone() -> None:
    with Connection("redis://127.0.0.1:1/0") as connection:
        transport = connection.transport
        channel = transport.Channel.__new__(transport.Channel)
        channel.closed, channel.connection = True, None
        receipts = transport.Channel.QoS(channel)
        assert isinstance(receipts, Receipts)
        receipts.ack("the tag of a message")

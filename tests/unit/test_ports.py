"""Suites that run side by side on one machine do not meet on a port."""

import socket

from tests.servers.processes import LOOPBACK, free_port, is_free, take


def test_a_port_that_somebody_has_is_not_given_to_another() -> None:
    port = free_port()

    assert is_free(port)
    assert not take(port)


def test_a_port_on_which_somebody_listens_is_not_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        assert not is_free(server.getsockname()[1])

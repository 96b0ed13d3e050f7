"""Under which names pages without a key are served."""

import pytest

from notifier.api.kit.hosts import is_known_host


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "notifier.localhost:8000",
        "127.0.0.1:8000",
        "127.8.9.1",
        "[::1]:8000",
        "192.168.1.7",
        "notifier",
        "api:8000",
        "notify.example.com",
        "Notify.Example.com:443",
        "notify.example.com.",
    ],
)
def test_addresses_and_names_of_ones_own_are_known(host: str) -> None:
    assert is_known_host(host, ["notify.example.com"])


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evillocalhost.example",
        "notify.example.com.evil.example",
        "xn--localhost.example",
        "[evil.example]",
    ],
)
def test_a_name_that_anybody_may_own_is_not(host: str) -> None:
    assert not is_known_host(host, ["notify.example.com"])

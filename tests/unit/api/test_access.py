"""Who counts as one client."""

import pytest

from notifier.api.kit.door import client_network


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_an_ipv6_client_is_its_network(host: str, network: str) -> None:
    assert client_network(host) == network

"""Where RabbitMQ's versions differ, as far as their clients notice."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """The rules of a version.

    `delivery_limit` is that of a queue whose policy has none. With `counts_nacks`, every return
    is a failed delivery; without, a nack is none, and only the acquisitions tell of it. With
    `shows_first_count`, a message that was never delivered says so in a header. With
    `trusts_deaths`, an x-death that a client published is continued.
    """

    name: str
    delivery_limit: int | None
    counts_nacks: bool
    shows_first_count: bool
    trusts_deaths: bool
    tells_last_death: bool


V3_10 = Version(
    name="3.10.8",
    delivery_limit=None,
    counts_nacks=True,
    shows_first_count=True,
    trusts_deaths=True,
    tells_last_death=False,
)
V4_0 = Version(
    name="4.0.5",
    delivery_limit=20,
    counts_nacks=True,
    shows_first_count=False,
    trusts_deaths=False,
    tells_last_death=True,
)
V4_3 = Version(
    name="4.3.6",
    delivery_limit=20,
    counts_nacks=False,
    shows_first_count=False,
    trusts_deaths=False,
    tells_last_death=True,
)

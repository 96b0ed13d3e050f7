"""Where RabbitMQ's versions differ, as far as their clients notice."""

from dataclasses import dataclass
from enum import Enum


class Told(Enum):
    """What a dead letter tells of the deliveries before its death."""

    NOTHING = "nothing"
    REJECTION = "that it was rejected, as one delivery, which no limit counts"
    FAILURES = "all failed deliveries, and the limit of its next queue counts them too"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """The rules of a version.

    `delivery_limit` is that of a queue whose policy has none. With `counts_nacks`, every return
    is a failed delivery; without, a nack is none, and only the acquisitions tell of it. With
    `counts_first_get`, a message that is fetched and was never delivered says so in a header. With
    `trusts_deaths`, an x-death that a client published is continued.
    """

    name: str
    delivery_limit: int | None
    counts_nacks: bool
    counts_first_get: bool
    trusts_deaths: bool
    tells_last_death: bool
    told_by_letters: Told
    shares_prefetch: bool
    """Whether a prefetch for a whole channel is taken, as one for each consumer; else refused."""
    recovers_by_tag: bool
    """Whether a lost channel gives back by the consumers' tags; else as they were attached."""


V3_10 = Version(
    name="3.10.8",
    delivery_limit=None,
    counts_nacks=True,
    counts_first_get=True,
    trusts_deaths=True,
    tells_last_death=False,
    told_by_letters=Told.NOTHING,
    shares_prefetch=False,
    recovers_by_tag=True,
)
V4_0 = Version(
    name="4.0.5",
    delivery_limit=20,
    counts_nacks=True,
    counts_first_get=False,
    trusts_deaths=False,
    tells_last_death=True,
    told_by_letters=Told.REJECTION,
    shares_prefetch=False,
    recovers_by_tag=False,
)
V4_3 = Version(
    name="4.3.6",
    delivery_limit=20,
    counts_nacks=False,
    counts_first_get=False,
    trusts_deaths=False,
    tells_last_death=True,
    told_by_letters=Told.FAILURES,
    shares_prefetch=True,
    recovers_by_tag=False,
)

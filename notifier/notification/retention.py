"""How long notifications are kept: terms by service and channel, and the duty to keep to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from notifier.duty import Duty
from notifier.idempotency import NotFound
from notifier.notification.model import Channel

MOST_DAYS: Final = 36_500
LEAST_ROWS_DAYS: Final = 7
"""Until then receipts and answers to an Idempotency-Key may still ask for a notification."""

_EVERY_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Days after the end of a notification; None: for ever."""

    content_days: int | None = None
    """Until its content goes: what was sent, with its variables, files, inbox item and capture."""
    rows_days: int | None = None
    """Until all of it goes; the account still counts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The terms of one service's notifications over a channel, or over all that have no rule."""

    service: str
    channel: Channel | None
    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRule(Rule):
    """A rule that was set."""

    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Policy:
    """All terms: what is set for everybody, and the rules."""

    defaults: Terms = Terms()
    rules: Sequence[Rule] = field(default=())

    @property
    def is_for_ever(self) -> bool:
        """Whether nothing ever goes."""
        return {self.defaults, *(rule.terms for rule in self.rules)} <= {Terms()}

    def of(self, service: str) -> Mapping[Channel, Terms]:
        """Return a service's terms: its rule for a channel, else its own for all, else the set."""
        rules = {rule.channel: rule.terms for rule in self.rules if rule.service == service}
        default = rules.get(None, self.defaults)
        return {channel: rules.get(channel, default) for channel in Channel}


class PurgeReason(StrEnum):
    """Why the content of a notification goes, and the notification stays."""

    RETENTION = "retention"
    """It is past its term."""
    ERASURE = "erasure"
    """Whom it was for is erased."""


class RetentionRules(Protocol):
    """The rules that operators set."""

    async def all(self) -> Sequence[StoredRule]:
        """All of them, in order of service and channel."""

    async def set(self, rule: Rule) -> StoredRule:
        """Put it in the place of the one for its service and channel."""

    async def remove(self, service: str, channel: Channel | None) -> NotFound | None:
        """Let the next less particular terms hold again."""


class Purge(Protocol):
    """Lets go what is past its term, a small transaction at a time, beside any number of others."""

    async def step(self, defaults: Terms) -> bool:
        """Go on a little for each service; says whether there is more to do at once."""


def retaining(purge: Purge, defaults: Terms) -> Duty:
    """Return the duty to keep to `defaults` and the rules."""

    async def run() -> bool:
        return await purge.step(defaults)

    return Duty("retention", _EVERY_S, run)

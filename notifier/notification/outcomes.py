"""What comes of handing a notification to a provider, as values."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why an attempt did not succeed: a provider's code and words, free of personal data."""

    kind: str
    """The outcome's class: transient, permanent, systemic, unknown, suppressed, deferred."""
    code: str
    message: str


class SuppressionReason(StrEnum):
    """Why an address is not sent to."""

    HARD_BOUNCE = "hard_bounce"
    SPAM_REPORT = "spam_report"
    UNSUBSCRIBED = "unsubscribed"
    REFUSED = "refused"
    """A provider refused it for good when it was handed over."""
    MANUAL = "manual"

    @property
    def is_recipients_will(self) -> bool:
        """Whether the recipient asked for it: only an operator, with a reason, may undo that."""
        return self in (SuppressionReason.UNSUBSCRIBED, SuppressionReason.SPAM_REPORT)


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it."""

    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Transient:
    """Not taken, but a later attempt may succeed. `retry_after_s` is the provider's own wish.

    `throttled` says that the provider was asked too often: the attempt does not count.
    """

    code: str
    message: str
    retry_after_s: float | None = None
    throttled: bool = False
    concerns_recipient: bool = False
    """It says something about this recipient only, nothing about the provider's health."""
    about_one: bool = False
    """It was said in an exchange about one recipient: alone it is no evidence against the
    provider."""


@dataclass(frozen=True, slots=True)
class Permanent:
    """Never: this recipient or this content.

    `suppress` says that the address itself is bad, or that its owner wants nothing more;
    `suppress_as` which of them.
    """

    code: str
    message: str
    suppress: bool = False
    suppress_as: SuppressionReason = SuppressionReason.REFUSED


@dataclass(frozen=True, slots=True)
class Systemic:
    """Our credentials, sender or configuration: nothing would get through."""

    code: str
    message: str
    concerns_recipient: bool = False
    """It was said in an exchange about one recipient: alone it is no evidence against the
    provider."""
    concerns_sender: bool = False
    """It is about the sender that this mail has of its own, whoever its recipient is."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The provider may have taken it: the link broke after the content was on its way."""

    code: str
    message: str


Outcome: TypeAlias = Sent | Transient | Permanent | Systemic | Unknown


@dataclass(frozen=True, slots=True)
class Suppressed:
    """No provider is asked: its recipient does not want it, or must not get it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """No provider is asked yet: its recipient wants it in `delay_s` at the earliest."""

    code: str
    message: str
    delay_s: float


Withheld: TypeAlias = Suppressed | Deferred


SUPPRESSED = "suppressed"
DEFERRED = "deferred"
"""The kinds of faults for which nobody is asked at all, or not yet."""
PAUSED = "paused"
"""The code of a fault: an operator keeps the provider from being asked."""

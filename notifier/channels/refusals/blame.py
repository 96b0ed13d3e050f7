"""What a refusal says, and the outcome that follows from it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from notifier.notification.outcomes import (
    Outcome,
    Permanent,
    SuppressionReason,
    Systemic,
    Transient,
    Unknown,
)


class Blame(StrEnum):
    """Whose fault a refusal is; the values of the tables."""

    GONE = "gone"
    """The recipient's address does not exist: permanent, and the address is suppressed."""
    OPTED_OUT = "opted_out"
    """The recipient wants nothing more from us: permanent, and the address is suppressed."""
    RECIPIENT = "recipient"
    """This recipient, for good: permanent."""
    RECIPIENT_NOW = "recipient_now"
    """This recipient, for now: tried again, counted, and no word about anybody else."""
    MESSAGE = "message"
    """This message, whoever it is for: permanent."""
    OURS = "ours"
    """Our sender, account, credentials, configuration, address or reputation: systemic."""
    RATE = "rate"
    """We are too fast or over a quota: throttled, no attempt is spent."""
    MOMENT = "moment"
    """Nobody: transient."""
    UNKNOWN = "unknown"
    """It may have been taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Whose fault it is, and the least time until the next attempt."""

    blame: Blame
    at_least_s: float | None = None


def outcome_of(
    blame: Blame,
    code: str,
    message: str,
    retry_after_s: float | None = None,
    *,
    in_exchange_about_one: bool = False,
) -> Outcome:
    """Return the outcome that `blame` stands for.

    `in_exchange_about_one`: it was said about one recipient or message, not about the session;
    alone it is then no evidence against the provider, even where it blames us.
    """
    match blame:
        case Blame.GONE | Blame.OPTED_OUT | Blame.RECIPIENT | Blame.MESSAGE:
            return _permanent(blame, code, message)
        case Blame.RECIPIENT_NOW:
            return Transient(code, message, retry_after_s, concerns_recipient=True)
        case Blame.OURS:
            return Systemic(code, message, concerns_recipient=in_exchange_about_one)
        case Blame.RATE:
            about_one = in_exchange_about_one
            return Transient(code, message, retry_after_s, throttled=True, about_one=about_one)
        case Blame.MOMENT:
            return Transient(code, message, retry_after_s, about_one=in_exchange_about_one)
        case Blame.UNKNOWN:
            return Unknown(code, message)
        case _:
            assert_never(blame)


def _permanent(blame: Blame, code: str, message: str) -> Permanent:
    match blame:
        case Blame.GONE:
            return Permanent(code, message, suppress=True)
        case Blame.OPTED_OUT:
            unsubscribed = SuppressionReason.UNSUBSCRIBED
            return Permanent(code, message, suppress=True, suppress_as=unsubscribed)
        case _:
            return Permanent(code, message)

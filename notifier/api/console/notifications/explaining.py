"""What happened to a notification, and why it was not sent, in words."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from notifier.api.console.notifications.words import error_words
from notifier.api.console.words import time_words
from notifier.audience.suppression import Suppression
from notifier.notification.model import Notification, Status, TimelineEntry

EVENTS: Mapping[str, str] = {
    "accept": "Accepted",
    "claim": "A worker took it",
    "succeed": "The provider took it",
    "retry": "Not sent; it is tried again",
    "fail": "Failed for good",
    "interrupt": "A worker was stopped before the provider answered; it goes on as before",
    "snooze": "Put off: the provider is in trouble or throttles, and no attempt is spent",
    "defer": "Put off: its recipient wants nothing now",
    "rescue": "Its worker died or its lease ended; whether it was sent is not known",
    "recall": "The broker gave its message up; it is published again",
    "replay": "Somebody has it sent again",
    "discard": "Somebody gave it up",
    "cancel": "Taken back",
    "undo": "Its replay was taken back before it was handed over",
    "expire": "Its time ran out",
    "suppress": "Not sent: its recipient does not want it, or is on the suppression list",
    "deliver": "The provider says that it arrived",
    "settle": "The provider says that it was taken after all",
    "bounce": "The provider says that it did not arrive",
    "late_completion": "A worker came back too late: it may have been sent twice",
    "failover": "This provider was passed over for another one",
    "unsuppress": "Its recipient was taken off the suppression list",
}
_WHOSE: Mapping[str, str] = {
    "permanent": "That is about this recipient or this message; sending it again changes nothing.",
    "transient": "That was the moment's, for longer than its attempts lasted.",
    "systemic": "That is ours: our credentials, sender, configuration or quota.",
    "unknown": "Nobody knows whether it arrived, and its channel does not send twice.",
}

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


def why(it: Notification, timeline: Sequence[TimelineEntry], listing: Suppression | None) -> str:
    """Return in a sentence or two why it was not sent; empty if it was, or is under way.

    `listing` is its recipient's place on the suppression list.
    """
    match it.status:
        case Status.SUPPRESSED:
            return _suppressed(it, listing)
        case Status.CANCELLED:
            return f"It was taken back on {_ended(it)}, before it was handed over."
        case Status.EXPIRED:
            last = f" The last error was {error_words(it.fault)}." if it.fault else ""
            return f"Its time ran out on {_expiry(it)}, before a provider took it.{last}"
        case Status.FAILED | Status.BOUNCED:
            return _failed(it, timeline)
        case _:
            return ""


def _suppressed(it: Notification, listing: Suppression | None) -> str:
    if it.fault is not None:
        return f"Its recipient chose so: {it.fault.message} ({it.fault.code})."
    if listing is None:
        return "Its recipient was on the suppression list then, and is not any more."
    of = f"for the category {listing.category}" if listing.category else "for everything"
    reason = listing.reason.value.replace("_", " ")
    return (
        f"Its recipient has been on the suppression list since {time_words(listing.created_at)}, "
        f"{of}: {reason}."
    )


def _failed(it: Notification, timeline: Sequence[TimelineEntry]) -> str:
    fault = it.fault
    if fault is None:
        return f"It ended as {it.status} on {_ended(it)}."
    told = [entry.at for entry in timeline if entry.fault == fault]
    at = time_words(told[-1]) if told else _ended(it)
    by = it.provider or "notifier"
    return f"{by} said on {at}: {error_words(fault)}. {_WHOSE.get(fault.kind, '')}".strip()


def _ended(it: Notification) -> str:
    return time_words(it.finished_at or it.updated_at)


def _expiry(it: Notification) -> str:
    return time_words(it.expires_at) if it.expires_at else _ended(it)


def lasted(span: timedelta) -> str:
    """Return how long something took, as people say it."""
    seconds = span.total_seconds()
    if seconds < 1:
        return f"{seconds * 1_000:.0f} ms"
    if seconds < _MINUTE_S:
        return f"{seconds:.1f} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S:.0f} min {seconds % _MINUTE_S:.0f} s"
    if seconds < _DAY_S:
        return f"{seconds // _HOUR_S:.0f} h {seconds % _HOUR_S // _MINUTE_S:.0f} min"
    return f"{seconds // _DAY_S:.0f} d {seconds % _DAY_S // _HOUR_S:.0f} h"

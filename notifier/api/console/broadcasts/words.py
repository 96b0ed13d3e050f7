"""How pages tell of a broadcast."""

from collections.abc import Mapping, Sequence

from notifier.api.console.layout import Section
from notifier.api.console.words import CHANNELS, counted, time_words
from notifier.broadcasts.broadcast import Counts, State, StoredBroadcast, Whom

SECTION = Section(title="Broadcasts", path="/broadcasts", scope="broadcasts")


def viewed(broadcast: StoredBroadcast, *, names: bool) -> Mapping[str, object]:
    """Return what pages say of one first; `names` its service."""
    return {
        "id": str(broadcast.id),
        "template": broadcast.template,
        "channel": broadcast.channel.value,
        "channel_name": CHANNELS[broadcast.channel],
        "service": broadcast.service if names else None,
        "whom": whom_words(broadcast.whom),
        "state": broadcast.state.value,
        "since": _since(broadcast),
        "members": counted(broadcast.counts.members, "member"),
        "counts": count_words(broadcast.counts),
    }


def details(it: StoredBroadcast) -> Sequence[tuple[str, str]]:
    """Return what there is to know of one: names, and values."""
    told = {
        "Template": it.template,
        "To": whom_words(it.whom),
        "But not to": counted(len(it.whom.excluded), "person") if it.whom.excluded else "",
        "Service": it.service,
        "Priority": it.lane.value,
        "At most": f"{it.rate_per_s:,} a second" if it.rate_per_s else "",
        "Accepted": time_words(it.created_at),
        "Begins": time_words(it.send_at) if it.send_at else "",
        "Began": time_words(it.started_at) if it.started_at else "",
        "Ended": time_words(it.finished_at) if it.finished_at else "",
        "Looked at": counted(it.counts.members, "member"),
        "Of those": count_words(it.counts),
        "Suppressed": ", ".join(f"{n:,} {why}" for why, n in it.counts.suppressed.items()),
        "Trouble": it.fault or "",
    }
    return [(name, words) for name, words in told.items() if words]


def whom_words(whom: Whom) -> str:
    """Say who is told."""
    if whom.topic is not None:
        return f"topic {whom.topic}"
    wanted = ", ".join(f"{name} {value}" for name, value in whom.attributes.items())
    return f"people with {wanted}" if wanted else "everybody"


def count_words(counts: Counts) -> str:
    """Say what became of the members that were looked at."""
    told = {
        "accepted": counts.accepted,
        "suppressed": sum(counts.suppressed.values()),
        "without an address": counts.without_address,
        "unknown": counts.unknown,
        "failed": counts.failed,
        "excluded": counts.excluded,
        "repeated": counts.repeated,
        "cancelled": counts.cancelled,
    }
    return ", ".join(f"{count:,} {word}" for word, count in told.items() if count)


def _since(broadcast: StoredBroadcast) -> str:
    if broadcast.finished_at is not None:
        return f"at {time_words(broadcast.finished_at)}"
    if broadcast.state is State.SCHEDULED and broadcast.send_at is not None:
        return f"for {time_words(broadcast.send_at)}"
    return f"since {time_words(broadcast.started_at or broadcast.created_at)}"

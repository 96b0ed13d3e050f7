"""What pages show of schedules."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from notifier.api.console.words import CHANNELS, time_words
from notifier.schedules.planning import Wish
from notifier.schedules.schedule import (
    CatchUp,
    Run,
    RunKind,
    StoredRun,
    StoredSchedule,
    Timing,
    To,
    ToRecipient,
    ToTopic,
    ToUser,
    in_week_order,
    when_document,
)
from notifier.schedules.slot import RECIPIENT, Weekly, explained

CATCH_UP: Mapping[CatchUp, str] = {
    CatchUp.LAST: "send the last of them",
    CatchUp.NONE: "send none of them",
    CatchUp.ALL: "send each of them",
}


def clocks_of(timing: Timing) -> tzinfo:
    """Return by which clocks people are shown its times: UTC where it goes by many."""
    return UTC if timing.zone == RECIPIENT else ZoneInfo(timing.zone)


def shown(it: StoredSchedule, *, names: bool) -> Mapping[str, object]:
    """Return what lists and pages show of a schedule; with `names`, its service's."""
    clocks = clocks_of(it.timing)
    next_at = None if it.paused_at else it.progress.next_at
    state = "paused" if it.paused_at else "active" if next_at else "over"
    return {
        "id": str(it.id),
        "name": it.name,
        "service": it.service if names else None,
        "explained": explained(it.timing.when, it.timing.zone),
        "whom": whom(it.to),
        "template": it.template,
        "channel": it.to.channel.value,
        "channel_name": CHANNELS[it.to.channel],
        "state": state,
        "next": time_words(next_at, clocks) if next_at else None,
    }


def details(it: StoredSchedule) -> Sequence[tuple[str, str]]:
    """Return what only its own page shows, by its names."""
    timing, clocks = it.timing, clocks_of(it.timing)
    told = [("Priority", it.lane.value)]
    if timing.starts_at:
        told.append(("Not before", time_words(timing.starts_at, clocks)))
    if timing.ends_at:
        told.append(("Ends", time_words(timing.ends_at, clocks)))
    if timing.skip_dates:
        told.append(("Never on", ", ".join(f"{day}" for day in sorted(timing.skip_dates))))
    within = f", up to {it.catch_up_within_s / 60:g} minutes late"
    told.append(
        ("Missed times", CATCH_UP[it.catch_up] + ("" if it.catch_up is CatchUp.NONE else within))
    )
    if it.variables:
        told.append(("Variables", json.dumps(it.variables, ensure_ascii=False)))
    return told


def shown_run(run: StoredRun, clocks: tzinfo) -> Mapping[str, object]:
    """Return what is shown of a run."""
    made = run.notification_id or run.broadcast_id
    return {
        "slot": time_words(run.slot, clocks),
        "zone": run.zone,
        "is_manual": run.kind is RunKind.MANUAL,
        "outcome": run.outcome.value,
        "reason": run.reason,
        "made": str(made) if made else None,
        "kind": "broadcast" if run.broadcast_id else "notification",
        "place": place_of(run),
    }


def place_of(run: Run) -> str:
    """Return where a run stands among those of its schedule."""
    return f"{run.slot.isoformat()},{run.zone or ''}"


def whom(to: To) -> str:
    """Return whom it is to."""
    match to:
        case ToUser(user_id):
            return f"user {user_id}"
        case ToRecipient(recipient):
            return recipient
        case ToTopic(topic):
            return f"topic {topic}"


def filled_in(wish: Wish) -> Mapping[str, object]:
    """Return the form's fields, filled with a wish."""
    timing = wish.timing
    clocks, when = clocks_of(timing), when_document(wish.when)
    kinds = {"user_id": wish.user_id, "recipient": wish.recipient, "topic": wish.topic}
    kind = next((name for name, value in kinds.items() if value is not None), "user_id")
    return {
        "name": wish.name,
        "template": wish.template,
        "to_kind": kind,
        "to": kinds[kind] or "",
        "type": wish.channel.value if wish.channel else "",
        "every": when.get("every") or "cron",
        "at": when.get("at") or "",
        "on": in_week_order(wish.when.on) if isinstance(wish.when, Weekly) else [],
        "cron": when.get("cron") or "",
        "zone": wish.zone,
        "variables": _json(wish.variables),
        "priority": wish.lane.value,
        "starts_at": _local(timing.starts_at, clocks),
        "ends_at": _local(timing.ends_at, clocks),
        "skip_dates": "\n".join(f"{day}" for day in sorted(wish.skip_dates)),
        "catch_up": wish.catch_up.value,
        "catch_up_within": f"{wish.catch_up_within_s / 60:g}",
    }


def _json(variables: Mapping[str, object]) -> str:
    return json.dumps(variables, ensure_ascii=False, indent=2) if variables else ""


def _local(at: datetime | None, clocks: tzinfo) -> str:
    return f"{at.astimezone(clocks):%Y-%m-%dT%H:%M}" if at else ""

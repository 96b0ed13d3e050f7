"""What should become of a notification to somebody: a model of its own, smaller than notifier's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.simulation.audience.past import Declared, Listed, Moment, Somebody
from tests.simulation.audience.people import BY_KEY
from tests.simulation.epoch import EPOCH_S

SEND, HOLD, STOP = "send", "hold", "stop"
_WILLED = ("unsubscribed", "spam_report")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Letter:
    """A notification to somebody, as it was asked for."""

    user_id: str
    channel: str
    lane: str
    category: str | None
    given: str | None
    """The address that came along."""

    @property
    def is_required(self) -> bool:
        """Whether nobody can switch it off."""
        known = BY_KEY.get(self.category or "")
        return known is not None and not known.can_switch_off

    @property
    def is_capped(self) -> bool:
        """Whether it takes one of a cap."""
        known = BY_KEY.get(self.category or "")
        return known is not None and known.cap is not None and self.lane != "high"

    def address(self, moment: Moment) -> str | None:
        """Where it goes; None: nowhere."""
        somebody = moment.somebody(self.user_id)
        if somebody is None:
            return None
        return self.given or somebody.addresses.get(self.channel)


def letter_of(body: Mapping[str, Any]) -> Letter | None:
    """Read what a client asks for; None where that is to nobody of the directory."""
    if "user_id" not in body:
        return None
    return Letter(
        body["user_id"], body["type"], body["priority"], body.get("category"), body.get("recipient")
    )


def fate(letter: Letter, moment: Moment, at_s: float) -> str:
    """Say whether it is to be sent now, held, or not sent at all."""
    somebody, address = moment.somebody(letter.user_id), letter.address(moment)
    if somebody is None or address is None or _is_listed(letter, address, moment):
        return STOP
    if letter.category not in BY_KEY or letter.is_required:
        return SEND
    if not _is_on(letter, somebody, moment.declared):
        return STOP
    quiet = somebody.quiet or moment.declared.quiet
    return HOLD if letter.lane != "high" and _is_quiet(quiet, somebody.zone, at_s) else SEND


def _is_listed(letter: Letter, address: str, moment: Moment) -> bool:
    return any(_stops(entry, letter, address) for entry in moment.listed)


def _stops(entry: Listed, letter: Letter, address: str) -> bool:
    if (entry.channel, entry.recipient) != (letter.channel, address.lower()):
        return False
    if entry.category not in ("", letter.category):
        return False
    return not letter.is_required or letter.channel == "sms" or entry.reason not in _WILLED


def _is_on(letter: Letter, somebody: Somebody, declared: Declared) -> bool:
    key, channel = letter.category or "", letter.channel
    for place in ((key, channel), (key, "*"), ("*", channel), ("*", "*")):
        if place in somebody.choices:
            return somebody.choices[place]
    return (key, channel) not in declared.off


def _is_quiet(quiet: Mapping[str, Any] | None, zone: str | None, at_s: float) -> bool:
    """Whether it is between two times of their day; they may be those of the night after it."""
    if quiet is None:
        return False
    wall = datetime.fromtimestamp(EPOCH_S + at_s, UTC).astimezone(ZoneInfo(zone or "UTC"))
    start, end, now = quiet["from"], quiet["to"], f"{wall:%H:%M}"
    if start < end:
        return bool(start <= now < end) and _begins(wall, quiet)
    if now >= start:
        return _begins(wall, quiet)
    return bool(now < end) and _begins(wall - timedelta(days=1), quiet)


def _begins(day: datetime, quiet: Mapping[str, Any]) -> bool:
    return _DAYS[day.weekday()] in quiet["weekdays"]

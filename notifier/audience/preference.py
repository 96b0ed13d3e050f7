"""Whether somebody wants a notification, and when: one decision, from facts that others look up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TypeAlias
from zoneinfo import ZoneInfo

from notifier.audience.caps import CapUse
from notifier.audience.category import Category
from notifier.audience.choices import ANY, Choice, Choices, Place, places
from notifier.audience.person import Person
from notifier.audience.quiet_hours import QuietHours
from notifier.notification.model import Channel, Lane
from notifier.notification.outcomes import SuppressionReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What is to be sent, as far as it matters to whom it is for.

    `category` is one that the service has declared; `suppression` why the address is on the
    service's list, if it is; `quiet_hours` the service's own, for people who have none, and
    `default_zone` where the clocks are of those who say nothing of that.
    """

    channel: Channel
    lane: Lane
    category: Category | None = None
    suppression: SuppressionReason | None = None
    quiet_hours: QuietHours | None = None
    default_zone: tzinfo = UTC
    key: str | None = None
    """Of its category, whether the service declares it or not."""
    is_former: bool = False
    """Whether the service declared the category, and removed it."""

    @property
    def is_required(self) -> bool:
        """Whether nobody can switch it off."""
        return self.category is not None and not self.category.can_switch_off

    @property
    def is_exempt(self) -> bool:
        """Whether neither quiet hours nor caps hold it up."""
        return self.is_required or self.lane is Lane.HIGH


@dataclass(frozen=True, slots=True)
class Why:
    """What decided: a code that stays, words for people, and the row that says so."""

    code: str
    words: str
    row: str


@dataclass(frozen=True, slots=True)
class Send:
    """Nothing speaks against it."""

    why: Why


@dataclass(frozen=True, slots=True)
class Suppress:
    """It is not wanted, or must not be sent."""

    why: Why


@dataclass(frozen=True, slots=True)
class Defer:
    """It is wanted, but not before `until`, in UTC."""

    until: datetime
    why: Why


Decision: TypeAlias = Send | Suppress | Defer

_NO_CHOICES = Choices()


@dataclass(frozen=True, slots=True)
class Consulted:
    """A row that was looked at, and what it says; None: it is not there, or not now."""

    row: str
    says: str | None


def decide(occasion: Occasion, person: Person | None, now: datetime) -> Decision:
    """Say whether `person` wants it at `now`; None: somebody whom the directory does not know.

    Caps are no part of it: they are counted as it is handed over (`cap_use`).
    """
    listed, category = occasion.suppression, occasion.category
    if listed is not None and _stops(listed, occasion):
        return Suppress(_listed(listed, occasion.channel))
    if category is None:
        return _undeclared(occasion, person)
    is_on, why = chosen(category, occasion.channel, _choices(person))
    if not is_on:
        return Suppress(why)
    row, until = _quiet(occasion, person, now)
    return Send(why) if until is None else Defer(until, _quieted(row, until))


def chosen(category: Category, channel: Channel, choices: Choices) -> tuple[bool, Why]:
    """Return whether a category is on for somebody, and what says so."""
    if not category.can_switch_off:
        return True, Why(
            "required", f"{category.key} cannot be switched off", _category_row(category)
        )
    choice = choices.of(category.key, channel)
    if choice is not None:
        return choice.is_on, Why("choice", _choice_words(choice), _choice_row(choice))
    is_on = category.is_on_by_default(channel)
    words = f"{category.key} is {_switched(is_on=is_on)} by default for {channel}"
    return is_on, Why("category_default", words, _default_row(category, channel))


def consulted(occasion: Occasion, person: Person | None, now: datetime) -> Iterator[Consulted]:
    """Return the rows that `decide` looks at, in its order, up to the last that it needs."""
    listed, category, channel = occasion.suppression, occasion.category, occasion.channel
    yield Consulted(_suppression_row(channel), listed)
    if listed is not None and _stops(listed, occasion):
        return
    if category is None:
        yield from _undeclared_consulted(occasion, person)
        return
    yield Consulted(_category_row(category), _category_says(category))
    if occasion.is_required:
        return
    yield from _choices_consulted(category, channel, person)
    if chosen(category, channel, _choices(person))[0] and occasion.lane is not Lane.HIGH:
        row, until = _quiet(occasion, person, now)
        yield Consulted(row, f"until {_minute(until)}" if until else None)


def cap_use(occasion: Occasion, person: Person, now: datetime) -> CapUse | None:
    """Return what handing it over takes of a cap; None: it is under none."""
    category = occasion.category
    if category is None or category.cap is None or occasion.is_exempt:
        return None
    return CapUse(
        service=category.service,
        user_id=person.user_id,
        cap=f"{category.key}/{occasion.channel}",
        slot=category.cap.per.began(now, _zone(occasion, person)),
        limit=category.cap.limit,
        per=category.cap.per,
    )


def over_cap(use: CapUse) -> Suppress:
    """Return what becomes of one more than that."""
    words = f"its recipient gets {use.limit} of {use.cap} in one {use.per}, and had them"
    return Suppress(Why("cap", words, f"caps/{use.cap}"))


def _uncategorised(key: str | None) -> Why:
    if key is None:
        return Why("no_category", "it has no category", "categories/-")
    words = f"its category {key} is not declared, and nobody can choose by it"
    return Why("no_category", words, f"categories/{key}")


def _undeclared(occasion: Occasion, person: Person | None) -> Send | Suppress:
    """Decide where no category counts but by what was chosen of it while it was declared."""
    choice = _choices(person).of_alone(occasion.key or "", occasion.channel)
    if choice is not None and not choice.is_on:
        return Suppress(Why("choice", _choice_words(choice), _choice_row(choice)))
    return Send(_uncategorised(occasion.key))


def _undeclared_consulted(occasion: Occasion, person: Person | None) -> Iterator[Consulted]:
    yield Consulted(_uncategorised(occasion.key).row, None)
    if occasion.key is not None:
        yield from _places_consulted(places(occasion.key, occasion.channel)[:2], person)


def _choices(person: Person | None) -> Choices:
    return person.choices if person else _NO_CHOICES


def _stops(reason: SuppressionReason, occasion: Occasion) -> bool:
    """Whether a suppression holds: what is required reaches whoever only wants nothing else.

    Of an SMS that is not ours to say: carriers stop all that comes from a number.
    """
    if not occasion.is_required or occasion.channel is Channel.SMS:
        return True
    return not reason.is_recipients_will


def _listed(reason: SuppressionReason, channel: Channel) -> Why:
    words = f"its address is on the suppression list: {reason}"
    return Why("suppression", words, _suppression_row(channel))


def _choices_consulted(
    category: Category, channel: Channel, person: Person | None
) -> Iterator[Consulted]:
    choice = _choices(person).of(category.key, channel)
    yield from _places_consulted(places(category.key, channel), person)
    if choice is None:
        is_on = category.is_on_by_default(channel)
        yield Consulted(_default_row(category, channel), _switched(is_on=is_on))


def _places_consulted(found: Sequence[Place], person: Person | None) -> Iterator[Consulted]:
    """Return what was chosen at each place, up to the first of which something was."""
    made = _choices(person).by_place
    for place in found:
        is_on = made.get(place)
        row = _choice_row(Choice(*place, bool(is_on)))
        yield Consulted(row, None if is_on is None else _switched(is_on=is_on))
        if is_on is not None:
            return


def _quiet(occasion: Occasion, person: Person | None, now: datetime) -> tuple[str, datetime | None]:
    """Return whose quiet hours count, and when they end if it is kept by them."""
    own = person.quiet_hours if person else None
    row = "quiet_hours/recipient" if own else "quiet_hours/service"
    hours = own or occasion.quiet_hours
    if hours is None or person is None or occasion.is_exempt:
        return row, None
    return row, hours.held_until(now, _zone(occasion, person))


def _quieted(row: str, until: datetime) -> Why:
    return Why("quiet_hours", f"its recipient's quiet hours end at {_minute(until)}", row)


def _zone(occasion: Occasion, person: Person) -> tzinfo:
    try:
        return ZoneInfo(person.time_zone) if person.time_zone else occasion.default_zone
    except (KeyError, ValueError):
        # Zones are renamed: people still get what is for them.
        return occasion.default_zone


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _switched(*, is_on: bool) -> str:
    return "on" if is_on else "off"


def _choice_words(choice: Choice) -> str:
    category = "everything" if choice.category == ANY else choice.category
    channel = "every channel" if choice.channel == ANY else choice.channel
    return f"its recipient switched {category} {_switched(is_on=choice.is_on)} for {channel}"


def _category_says(category: Category) -> str:
    return "can be switched off" if category.can_switch_off else "cannot be switched off"


def _suppression_row(channel: Channel) -> str:
    return f"suppressions/{channel}"


def _category_row(category: Category) -> str:
    return f"categories/{category.key}"


def _choice_row(choice: Choice) -> str:
    return f"choices/{choice.category}/{choice.channel}"


def _default_row(category: Category, channel: Channel) -> str:
    return f"categories/{category.key}/defaults/{channel}"

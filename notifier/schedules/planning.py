"""Planning: what is wrong with a schedule that somebody asks for, and when it comes."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from itertools import islice
from uuid import UUID

from notifier.audience.recipient import normalise
from notifier.broadcasts.announcing import Announcer
from notifier.broadcasts.announcing import Wish as BroadcastWish
from notifier.broadcasts.broadcast import Broadcast, Whom
from notifier.content.template import TemplateRef, TemplateVersion
from notifier.errors import RecipientError
from notifier.intake.draft import Draft, Flaw
from notifier.intake.drafting import Drafter
from notifier.intake.pinning import why_not
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, JsonValue, Lane
from notifier.schedules.clocks import Clocks
from notifier.schedules.schedule import (
    MAX_CATCH_UP_S,
    MAX_NAME_CHARS,
    MAX_SKIP_DATES,
    USUAL_CATCH_UP_S,
    CatchUp,
    Progress,
    Schedule,
    StoredSchedule,
    Timing,
    To,
    ToRecipient,
    ToTopic,
    ToUser,
)
from notifier.schedules.slot import RECIPIENT, Cron, Daily, Weekly, When, step_fault
from notifier.wall_time import is_zone

MOST_SHOWN = 100
"""Slots ahead that are told at once."""
TIME_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_TIME = re.compile(TIME_PATTERN[1:-1])
_TO_WHOM = frozenset({"user_id", "recipient", "topic", "type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A schedule that somebody asks for: to a person, an address or a topic, one of them.

    Without a `channel` it is the one that the template has.
    """

    name: str
    when: When
    zone: str
    template: str
    user_id: str | None = None
    recipient: str | None = None
    topic: str | None = None
    channel: Channel | None = None
    variables: Mapping[str, JsonValue] = field(default_factory=dict)
    lane: Lane = Lane.BULK
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    skip_dates: frozenset[date] = frozenset()
    catch_up: CatchUp = CatchUp.LAST
    catch_up_within_s: int = USUAL_CATCH_UP_S

    @property
    def timing(self) -> Timing:
        """When it is to be due."""
        return Timing(
            when=self.when,
            zone=self.zone,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            skip_dates=self.skip_dates,
        )


def wish_of(schedule: Schedule) -> Wish:
    """Return what would have to be asked for to get this schedule."""
    to, timing = schedule.to, schedule.timing
    return Wish(
        name=schedule.name,
        when=timing.when,
        zone=timing.zone,
        template=schedule.template,
        user_id=to.user_id if isinstance(to, ToUser) else None,
        recipient=to.recipient if isinstance(to, ToRecipient) else None,
        topic=to.topic if isinstance(to, ToTopic) else None,
        channel=to.channel,
        variables=schedule.variables,
        lane=schedule.lane,
        starts_at=timing.starts_at,
        ends_at=timing.ends_at,
        skip_dates=timing.skip_dates,
        catch_up=schedule.catch_up,
        catch_up_within_s=schedule.catch_up_within_s,
    )


def when_of(
    *,
    cron: str | None = None,
    every: str | None = None,
    on: Collection[str] | None = None,
    at: str | None = None,
) -> When | list[Flaw]:
    """Read when something is due, as clients and forms say it: a cron, or every day or week.

    `at` is a time such as 09:30, and `on` names days as `WEEKDAYS` are named.
    """
    if (cron is None) == (every is None):
        return [Flaw("when", 'expected {"cron": ...}, or {"every": "day" or "week", "at": ...}')]
    if cron is not None:
        return _cron_of(cron, is_alone=on is None and at is None)
    when_at = _time_of(at)
    if every == "day" and on is not None:
        return [Flaw("when", "a schedule of every day has no days: leave it out", ("on",))]
    if every not in ("day", "week"):
        return [Flaw("when", "expected day or week", ("every",))]
    if isinstance(when_at, Flaw):
        return [when_at]
    return Daily(when_at) if every == "day" else _weekly(frozenset(on or ()), when_at)


def _cron_of(text: str, *, is_alone: bool) -> Cron | list[Flaw]:
    if not is_alone:
        return [Flaw("when", "a cron says it all: leave out at and on", ("cron",))]
    try:
        cron = Cron(text)
    except ValueError as error:
        return [Flaw("when", str(error), ("cron",))]
    words = step_fault(cron)
    return [Flaw("when", words, ("cron",))] if words else cron


def _weekly(on: frozenset[str], at: time) -> Weekly | list[Flaw]:
    try:
        return Weekly(on, at)
    except ValueError as error:
        return [Flaw("when", str(error), ("on",))]


def _time_of(text: str | None) -> time | Flaw:
    if text is None or not _TIME.fullmatch(text):
        return Flaw("when", "expected a time of the day, such as 09:30", ("at",))
    return time.fromisoformat(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Makes schedules of wishes."""

    new_id: Callable[[], UUID]
    """Makes time-ordered ids (UUIDv7)."""
    drafter: Drafter
    announcer: Announcer
    clocks: Clocks

    async def planned(self, wish: Wish, service: str) -> Schedule | list[Flaw]:
        """Return the schedule, due from now on; or all that is wrong with it.

        Raises:
            StoreUnavailableError: what it names could not be looked up.
        """
        return await self._planned(wish, service, self.new_id())

    async def changed(self, stored: StoredSchedule, wish: Wish) -> Schedule | list[Flaw]:
        """Return it as it is to be, or all that is wrong with that.

        What is due already stays so, unless the wish has it due at other times. What it sends is
        looked over only if that changes.

        Raises:
            StoreUnavailableError: what it names could not be looked up.
        """
        made = await self._planned(wish, stored.service, stored.id, stored)
        if isinstance(made, list):
            return made
        is_as_before = (made.timing, made.to) == (stored.timing, stored.to)
        return replace(made, progress=stored.progress) if is_as_before else made

    async def resumed(self, schedule: Schedule) -> Progress | list[Flaw]:
        """Return where it stands if it goes on from now, or why nothing would come of it.

        Raises:
            StoreUnavailableError: the clocks of whom it is for could not be looked up.
        """
        wish = wish_of(schedule)
        if flaws := await self._content_flaws(wish, schedule.to, schedule.service):
            return [*flaws]
        return await self._progress(schedule.timing, schedule.service, schedule.to)

    async def upcoming(self, schedule: Schedule, count: int) -> Sequence[datetime]:
        """Return the next slots, `MOST_SHOWN` at most; those of all zones that it is for.

        Raises:
            StoreUnavailableError: the clocks of whom it is for could not be looked up.
        """
        zones = await self.clocks.zones(schedule.timing, schedule.to, schedule.service)
        found = schedule.timing.slots_of(self.drafter.clock.now(), zones)
        distinct = dict.fromkeys(slot for slot, _ in islice(found, MOST_SHOWN * len(zones)))
        return [*distinct][: min(count, MOST_SHOWN)]

    async def _planned(
        self, wish: Wish, service: str, id: UUID, before: Schedule | None = None
    ) -> Schedule | list[Flaw]:
        flaws = [*_flaws(wish), *_time_flaws(wish)]
        to = await self._to(wish, service)
        if isinstance(to, list):
            return [*flaws, *to]
        if before is None or _sent_by(before) != (to, wish.template, wish.variables, wish.lane):
            flaws += await self._content_flaws(wish, to, service)
        if flaws:
            return flaws
        progress = await self._progress(wish.timing, service, to)
        if progress.next_at is None:
            return [Flaw("when", "it never comes: see starts_at, ends_at and skip_dates")]
        return Schedule(
            id=id,
            service=service,
            name=wish.name,
            timing=wish.timing,
            to=to,
            template=wish.template,
            variables=wish.variables,
            lane=wish.lane,
            catch_up=wish.catch_up,
            catch_up_within_s=wish.catch_up_within_s,
            progress=progress,
        )

    async def _progress(self, timing: Timing, service: str, to: To) -> Progress:
        now = self.drafter.clock.now()
        zones = await self.clocks.zones(timing, to, service)
        clocks = next(iter(zones)) if timing.zone == RECIPIENT and isinstance(to, ToUser) else None
        return Progress(seen_at=now, next_at=timing.first_of(now, zones), clocks=clocks)

    async def _to(self, wish: Wish, service: str) -> To | list[Flaw]:
        named = [each for each in (wish.user_id, wish.recipient, wish.topic) if each is not None]
        if len(named) != 1:
            return [Flaw("to", "expected one of user_id, recipient and topic")]
        channel = wish.channel or await self._only_channel(wish.template, service)
        if isinstance(channel, Flaw):
            return [channel]
        if wish.user_id is not None:
            return ToUser(wish.user_id, channel)
        if wish.recipient is not None:
            return _to_recipient(wish.recipient, channel)
        return ToTopic(named[0], channel)

    async def _only_channel(self, template: str, service: str) -> Channel | Flaw:
        library = self.drafter.pinner.library
        found = await library.find(service, TemplateRef(template))
        if not isinstance(found, TemplateVersion):
            return Flaw("template", why_not(found))
        channels = {each for parts in found.content.parts.values() for each in parts}
        if len(channels) == 1:
            return Channel(channels.pop())
        words = ", ".join(sorted(channels)) or "none"
        return Flaw("to", f"say which of the template's channels is meant: {words}", ("type",))

    async def _content_flaws(self, wish: Wish, to: To, service: str) -> Sequence[Flaw]:
        if isinstance(to, ToTopic):
            asked = broadcast_wish(to, wish.template, wish.variables, wish.lane)
            made: Broadcast | Submission | list[Flaw] = await self.announcer.announced(
                asked, service=service
            )
        else:
            draft = draft_of(to, wish.template, wish.variables, wish.lane)
            [made] = await self.drafter.submissions([draft], service=service)
        return list(map(led_to, made)) if isinstance(made, list) else ()


def _sent_by(schedule: Schedule) -> tuple[To, str, Mapping[str, JsonValue], Lane]:
    return schedule.to, schedule.template, schedule.variables, schedule.lane


def _to_recipient(recipient: str, channel: Channel) -> ToRecipient | list[Flaw]:
    try:
        return ToRecipient(normalise(channel, recipient), channel)
    except RecipientError as error:
        return [Flaw("to", str(error), ("recipient",))]


def draft_of(
    to: ToUser | ToRecipient, template: str, variables: Mapping[str, JsonValue], lane: Lane
) -> Draft:
    """Return what is to be sent to one."""
    return Draft(
        channel=to.channel,
        user_id=to.user_id if isinstance(to, ToUser) else None,
        recipient=to.recipient if isinstance(to, ToRecipient) else None,
        template=TemplateRef(template),
        variables=variables,
        lane=lane,
    )


def broadcast_wish(
    to: ToTopic, template: str, variables: Mapping[str, JsonValue], lane: Lane
) -> BroadcastWish:
    """Return what is to be sent to many."""
    return BroadcastWish(
        channel=to.channel,
        template=TemplateRef(template),
        whom=Whom(topic=to.topic),
        variables=variables,
        lane=lane,
    )


def led_to(flaw: Flaw) -> Flaw:
    """Return it as one of a schedule's field."""
    return Flaw("to", flaw.words, (flaw.field, *flaw.path)) if flaw.field in _TO_WHOM else flaw


def _flaws(wish: Wish) -> Iterator[Flaw]:
    if not 0 < len(wish.name.strip()) <= MAX_NAME_CHARS or not wish.name.isprintable():
        yield Flaw("name", f"expected a name of one line and at most {MAX_NAME_CHARS} characters")
    if not 0 <= wish.catch_up_within_s <= MAX_CATCH_UP_S:
        yield Flaw("catch_up_within_s", f"expected from 0 to {MAX_CATCH_UP_S} seconds, a day")


def _time_flaws(wish: Wish) -> Iterator[Flaw]:
    if wish.zone == RECIPIENT and wish.recipient is not None:
        yield Flaw("zone", "nobody knows the clocks of an address: name a zone, or a user_id")
    elif wish.zone != RECIPIENT and not is_zone(wish.zone):
        yield Flaw("zone", "expected a name such as Europe/Vienna, or recipient")
    if wish.starts_at and wish.ends_at and wish.ends_at <= wish.starts_at:
        yield Flaw("ends_at", "expected a time after starts_at")
    if len(wish.skip_dates) > MAX_SKIP_DATES:
        yield Flaw("skip_dates", f"expected at most {MAX_SKIP_DATES}")

"""What hooks are told of the feed, by any number of relays."""

from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

from notifier.clock import SystemClock
from notifier.hooks.calling import Hook, Hooks
from notifier.hooks.following import READER, following
from notifier.hooks.moments import Accepted, Final
from notifier.notification.feed import Cursor, FeedEvent, FeedPage
from notifier.notification.model import Channel
from tests.patience import AT_ALL_S

AT = datetime(2026, 11, 27, tzinfo=UTC)
ID = UUID(int=7)


class Events:
    """A feed, and its readers' cursors."""

    def __init__(self, *events: str) -> None:
        self.events = list(events)
        self.cursors: dict[str, Cursor] = {}

    async def after(self, cursor: Cursor, limit: int) -> FeedPage:
        end = len(self.events)
        if cursor > end:
            return FeedPage((), end, is_complete=False)
        names = self.events[cursor : cursor + limit]
        found = [event(cursor + nth + 1, name) for nth, name in enumerate(names)]
        return FeedPage(found, cursor + len(found), is_complete=True)

    async def behind_s(self, cursor: Cursor) -> float:
        raise NotImplementedError

    async def stored(self, reader: str) -> Cursor | None:
        return self.cursors.get(reader)

    async def store(self, reader: str, cursor: Cursor) -> None:
        self.cursors[reader] = cursor

    async def move(self, reader: str, before: Cursor | None, to: Cursor) -> bool:
        is_there = self.cursors.get(reader) == before
        if is_there:
            self.cursors[reader] = to
        return is_there


def event(position: Cursor, name: str) -> FeedEvent:
    return FeedEvent(
        position=position,
        notification_id=ID,
        service="orders",
        channel=Channel.EMAIL,
        at=AT,
        event=name,
        attempt=1,
        provider="smtp",
    )


def a_hook(told: list[object]) -> Hooks:
    target = SimpleNamespace(accepted=told.append, final=told.append)
    hooks = Hooks([Hook("audit", target, timeout_s=1, clock=SystemClock())])
    hooks.start()
    return hooks


def stop(hooks: Hooks) -> None:
    hooks.stop(SystemClock().monotonic_s() + AT_ALL_S)


async def test_hooks_are_told_what_is_accepted_and_what_ends_from_when_there_are_any() -> None:
    events = Events("accept", "succeed")
    told: list[object] = []
    hooks = a_hook(told)
    duty = following(hooks, events, events)
    assert not await duty.run()

    events.events += ["accept", "claim", "retry", "claim", "succeed", "bounce", "no-such-event"]
    assert not await duty.run()
    assert not await duty.run()
    stop(hooks)

    assert told[0] == Accepted(id=ID, service="orders", channel="email", at=AT)
    assert [each.status for each in told if isinstance(each, Final)] == ["sent", "bounced"]
    assert len(told) == 3


async def test_what_another_relay_has_taken_is_not_told_again() -> None:
    events = Events()
    await events.store(READER, 0)
    told: list[object] = []
    hooks = a_hook(told)

    class Slower(Events):
        async def move(self, reader: str, before: Cursor | None, to: Cursor) -> bool:
            events.cursors[reader] = to
            return await events.move(reader, before, to)

    events.events.append("accept")
    slower = Slower("accept")
    slower.cursors = events.cursors
    assert not await following(hooks, slower, slower).run()
    stop(hooks)

    assert told == []


async def test_more_than_a_page_goes_on_at_once_as_far_as_there_is_room() -> None:
    events = Events(*["accept"] * 1_500)
    await events.store(READER, 0)
    waiting = Hooks(
        [Hook("audit", SimpleNamespace(accepted=print), timeout_s=1, clock=SystemClock())]
    )
    duty = following(waiting, events, events)

    while await duty.run():
        pass

    assert events.cursors[READER] == 1_000
    assert waiting.room == 0

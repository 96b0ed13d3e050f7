"""Telling hooks what is in the feed: what was accepted, and what has come to an end."""

from notifier.duty import Duty
from notifier.hooks.calling import Hooks
from notifier.hooks.moments import Accepted, Final, Moment
from notifier.notification.feed import ACCEPT, Cursors, Feed, FeedEvent

READER = "hooks"
_PAGE = 200
_AFTER_ALL = 2**62


def following(hooks: Hooks, feed: Feed, cursors: Cursors, *, every_s: float = 1) -> Duty:
    """Return the duty that tells them, from when there first are hooks.

    Any number of relays may do it: what one has taken, no other tells. What one has taken and not
    yet told is not told if its process dies.
    """

    async def run() -> bool:
        if hooks.room < _PAGE:
            return False
        before = await cursors.stored(READER)
        if before is None:
            end = await feed.after(_AFTER_ALL, 1)
            await cursors.move(READER, None, end.goes_on_after)
            return False
        page = await feed.after(before, _PAGE)
        if page.goes_on_after == before:
            return False
        if not await cursors.move(READER, before, page.goes_on_after):
            return False
        for event in page.events:
            _tell(hooks, event)
        return len(page.events) == _PAGE

    return Duty("hooks.follow", every_s, run)


def _tell(hooks: Hooks, event: FeedEvent) -> None:
    channel = event.channel and event.channel.value
    if event.event == ACCEPT:
        accepted = Accepted(
            id=event.notification_id, service=event.service, channel=channel, at=event.at
        )
        hooks.tell(Moment.ACCEPTED, accepted)
    elif event.status is not None and event.status.is_final:
        final = Final(
            id=event.notification_id,
            service=event.service,
            channel=channel,
            status=event.status.value,
            attempt=event.attempt,
            provider=event.provider,
            at=event.at,
        )
        hooks.tell(Moment.FINAL, final)

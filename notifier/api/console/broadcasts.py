"""The page of broadcasts: how far each is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from notifier.api.console.layout import CONSOLE, Section
from notifier.api.console.lists import cut
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS, counted, time_words
from notifier.broadcasts.broadcast import (
    UNDER_WAY,
    BroadcastStore,
    Counts,
    State,
    StoredBroadcast,
    Whom,
)

SECTION = Section(title="Broadcasts", path="/broadcasts", scope="broadcasts")
_PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class BroadcastPages:
    """Shows broadcasts."""

    broadcasts: BroadcastStore

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        return (ConsolePage(path=SECTION.path, scope=SECTION.scope, serve=self.show),)

    async def show(self, visit: Visit) -> Response:
        """Show a page of them, or anew what is on it."""
        after = visit.after()
        found = await self.broadcasts.list(
            service=visit.caller.sees, limit=_PER_PAGE + 1, after=after
        )
        shown, last = cut(found, _PER_PAGE)
        return visit.page(
            "broadcasts_list.html" if visit.is_partial else "broadcasts.html",
            {
                "items": [_viewed(each, names=visit.caller.sees is None) for each in shown],
                "is_moving": any(each.state in UNDER_WAY for each in shown),
                "here": _here(visit),
                "next": f"?after={last.id}" if last else "",
            },
        )


def _here(visit: Visit) -> str:
    root: str = visit.request.scope.get("root_path", "")
    query = visit.request.url.query
    return f"{root}{CONSOLE}{SECTION.path}{'?' + query if query else ''}"


def _viewed(broadcast: StoredBroadcast, *, names: bool) -> Mapping[str, object]:
    return {
        "template": broadcast.template,
        "channel": broadcast.channel.value,
        "channel_name": CHANNELS[broadcast.channel],
        "service": broadcast.service if names else None,
        "whom": _whom(broadcast.whom),
        "state": broadcast.state.value,
        "since": _since(broadcast),
        "members": counted(broadcast.counts.members, "member"),
        "counts": _counted(broadcast.counts),
    }


def _since(broadcast: StoredBroadcast) -> str:
    if broadcast.finished_at is not None:
        return f"at {time_words(broadcast.finished_at)}"
    if broadcast.state is State.SCHEDULED and broadcast.send_at is not None:
        return f"for {time_words(broadcast.send_at)}"
    return f"since {time_words(broadcast.started_at or broadcast.created_at)}"


def _whom(whom: Whom) -> str:
    if whom.topic is not None:
        return f"topic {whom.topic}"
    wanted = ", ".join(f"{name} {value}" for name, value in whom.attributes.items())
    return f"people with {wanted}" if wanted else "everybody"


def _counted(counts: Counts) -> str:
    told = {
        "accepted": counts.accepted,
        "suppressed": sum(counts.suppressed.values()),
        "without an address": counts.without_address,
        "unknown": counts.unknown,
        "failed": counts.failed,
        "cancelled": counts.cancelled,
    }
    return ", ".join(f"{count:,} {word}" for word, count in told.items() if count)

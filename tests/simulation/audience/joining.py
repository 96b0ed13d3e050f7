"""Two who turn out to be one: what waits for either goes to who stays, as both want it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from tests.simulation.clients import Wish
from tests.simulation.loop import this_loop
from tests.simulation.operators import Operator
from tests.simulation.providers import Call

_LATER_S = 30.0
"""When that is due which waits while they become one."""
_CATEGORY = "hints"


@dataclass(slots=True)
class Joined:
    """Who goes, who stays, and what is sent to the id of who goes before and after."""

    gone: str
    stays: str
    before: Sequence[Wish]
    after: Sequence[Wish]
    at_s: float | None = None
    """When they were known to be one; None: they never were."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Of who stays, by channel."""


def two(at_s: float, who: float, first: int) -> Joined:
    """Return two of whom nobody else knows, with wishes numbered from `first` on."""
    name = f"twin-{round(at_s * 1_000)}-{round(who * 1_000)}"
    gone, stays = f"{name}-a", f"{name}-b"
    digits = f"{round(at_s * 1_000_000) % 10**8:08d}"
    return Joined(
        gone,
        stays,
        [*_letters(gone, first, None), *_letters(gone, first + 4, _LATER_S)],
        _letters(gone, first + 8, None),
        addresses={"email": f"{stays}@example.com", "sms": f"+49161{digits}"},
    )


def _letters(user_id: str, first: int, send_in_s: float | None) -> Sequence[Wish]:
    """One over each channel, and one of a category that one of them switched off there."""
    words = {"priority": "normal", "content": f"for {user_id}", "user_id": user_id}
    email, sms = {**words, "type": "email", "subject": "x"}, {**words, "type": "sms"}
    bodies = (email, sms, {**email, "category": _CATEGORY}, {**sms, "category": _CATEGORY})
    return [Wish(first + nth, body, send_in_s) for nth, body in enumerate(bodies)]


async def become_one(operator: Operator, joined: Joined, for_s: float) -> None:
    """Come, be written to, and turn out to be one after so long."""
    goes = {"email": f"{joined.gone}@example.com"}
    for user_id, addresses, off in (
        (joined.gone, goes, "sms"),
        (joined.stays, joined.addresses, "email"),
    ):
        listed = [
            {"channel": channel, "address": address, "is_primary": True}
            for channel, address in addresses.items()
        ]
        await operator.put(user_id, {"addresses": listed})
        await operator.prefer(user_id, {"choices": {_CATEGORY: {off: False}}})
    written = asyncio.gather(*(operator.send(wish) for wish in joined.before))
    await asyncio.sleep(for_s)
    await written
    response = await operator.merge(joined.stays, joined.gone)
    if response is not None and response.status == HTTPStatus.OK:
        joined.at_s = this_loop().time()
        await asyncio.gather(*(operator.send(wish) for wish in joined.after))


def about_joined(joined: Sequence[Joined], journal: Sequence[Call]) -> Iterator[str]:
    """What was sent to two who are one otherwise than to who stays, as both want it."""
    for one in joined:
        if one.at_s is None:
            yield f"unjoined: {one.gone} was not made one with {one.stays}"
        else:
            for wish in one.after:
                calls = [call for call in journal if call.id == wish.told]
                yield from _about_what_came_after(one, wish, calls)


def _about_what_came_after(one: Joined, wish: Wish, calls: Sequence[Call]) -> Iterator[str]:
    if wish.refusal is not None:
        yield f"misled: {one.gone} was to lead to {one.stays}: {wish.refusal}"
    for call in calls:
        if call.recipient != one.addresses[wish.body["type"]]:
            yield f"misled: {call.id} went to {call.recipient}, not to {one.stays}"
        if "category" in wish.body:
            yield f"overruled: {call.id} went to {one.stays}, and one of them said no"
    if not calls and wish.told and "category" not in wish.body:
        yield f"unled: {wish.told} to {one.gone} never went to {one.stays}"

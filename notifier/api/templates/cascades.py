"""A change that publishes again what takes in what is changed, over HTTP."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from notifier.api.kit.answers import Answer
from notifier.api.kit.calls import Call
from notifier.api.kit.problems import InvalidField, invalid
from notifier.api.templates.shapes import CascadeQuery
from notifier.content.cascading import MOST, Cascade, TooMany
from notifier.content.library import Outrun

Made = TypeVar("Made")


def bounded(cascade: Cascade | TooMany) -> Cascade:
    """Return a cascade.

    Raises:
        ProblemError: 422, it would be too much at once.
    """
    if isinstance(cascade, TooMany):
        words = f"more than {MOST} templates take it in: publish it without, and them one by one"
        raise invalid([InvalidField("/cascade", words)])
    return cascade


async def once(
    call: Call[Any, CascadeQuery],
    change: Callable[..., Awaitable[Any]],
    cascade: Cascade | None,
    answer: Callable[[Cascade | None], Answer],
) -> Any:
    """Make a change with its cascade; those that others publish meanwhile are left out of it."""

    async def attempt(it: Cascade | None) -> Any:
        to_publish = it.to_publish if it else None
        return await call.once(partial(change, cascade=to_publish), answer(it))

    made, _ = await renewing(attempt, cascade)
    return made


async def renewing(
    attempt: Callable[[Cascade | None], Awaitable[Made | Outrun]], cascade: Cascade | None
) -> tuple[Made, Cascade | None]:
    """Return what a change came to, and the cascade without those that others published meanwhile.

    Args:
        attempt: Makes the change with a cascade, or changes nothing where that was outrun.
        cascade: What would come with it.
    """
    while True:
        made = await attempt(cascade)
        if not isinstance(made, Outrun):
            return made, cascade
        assert cascade is not None  # noqa: S101  nobody else could be outrun
        cascade = cascade.without(made.names)

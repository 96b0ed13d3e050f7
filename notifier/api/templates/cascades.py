"""A change that publishes again what takes in what is changed, over HTTP."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from notifier.api.kit.answers import Answer
from notifier.api.kit.calls import Call
from notifier.api.kit.problems import InvalidField, invalid
from notifier.api.templates.shapes import CascadeQuery
from notifier.content.cascading import MOST, Cascade, TooMany
from notifier.content.library import Outrun


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
    if cascade is None:
        return await call.once(change, answer(None))
    while True:
        made = await call.once(partial(change, cascade=cascade.to_publish), answer(cascade))
        if not isinstance(made, Outrun):
            return made
        cascade = cascade.without(made.names)

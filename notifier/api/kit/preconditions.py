"""If-Match: who changes what somebody else has changed meanwhile is told so."""

from typing import Any, TypeVar

from notifier.api.kit.calls import Call
from notifier.api.kit.headers import header_values
from notifier.api.kit.operations import HeaderParameter
from notifier.api.kit.problems import PRECONDITION_FAILED, ProblemError
from notifier.idempotency import LostRace

Changed = TypeVar("Changed")

IF_MATCH = HeaderParameter(
    name="If-Match",
    description="The ETag of what is meant: 412 if it was changed meanwhile.",
    schema={"type": "string"},
)


def quoted(etag: str) -> str:
    """Return it as the header ETag has it."""
    return f'"{etag}"'


def if_match(call: Call[Any, Any]) -> str | None:
    """Return the ETag that a request asks for; None for any."""
    values = header_values(call.request.scope, b"if-match")
    return values[0].strip().strip('"') if values else None


def require_meant(call: Call[Any, Any], etag: str, what: str) -> None:
    """Refuse a request unless it asks for what is there, with this ETag, or for whatever is: `*`.

    Raises:
        ProblemError: 412.
    """
    if if_match(call) not in (None, "*", etag):
        raise _lost(LostRace(etag), what)


def in_time(changed: Changed | LostRace, what: str) -> Changed:
    """Return what a change came to that nobody was ahead of.

    Raises:
        ProblemError: 412, somebody was.
    """
    if isinstance(changed, LostRace):
        raise _lost(changed, what)
    return changed


def _lost(race: LostRace, what: str) -> ProblemError:
    now = f"; it is {quoted(race.etag)} now" if race.etag else f"; there is no {what}"
    return ProblemError(PRECONDITION_FAILED, f"The {what} is not the one of If-Match{now}.")

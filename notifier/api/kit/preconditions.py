"""If-Match: who changes what somebody else has changed meanwhile is told so."""

from typing import Any

from notifier.api.kit.calls import Call
from notifier.api.kit.headers import header_values
from notifier.api.kit.operations import HeaderParameter
from notifier.api.kit.problems import PRECONDITION_FAILED, ProblemError
from notifier.idempotency import LostRace

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


def is_meant(call: Call[Any, Any], etag: str) -> bool:
    """Whether a request asks for what is there with this ETag, or for whatever is there: `*`."""
    return if_match(call) in (None, "*", etag)


def lost(race: LostRace, what: str) -> ProblemError:
    """Return the problem of who came second."""
    now = f"; it is {quoted(race.etag)} now" if race.etag else f"; there is no {what}"
    return ProblemError(PRECONDITION_FAILED, f"The {what} is not the one of If-Match{now}.")

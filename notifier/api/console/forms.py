"""What forms of the console post."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.requests import Request

from notifier.api.kit.body import read_body, refuse_encoded
from notifier.api.kit.headers import header
from notifier.api.kit.problems import (
    MALFORMED_REQUEST,
    UNSUPPORTED_MEDIA_TYPE,
    ProblemError,
)

MAX_FORM_BYTES = 256 * 1024
_MAX_FIELDS = 200
_TIMEOUT_S = 20
_TYPE = re.compile(r"application/x-www-form-urlencoded\s*(;.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, as they were filled in."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return what a field holds, without white space around; empty if it is not there."""
        return self.secret(name).strip()

    def secret(self, name: str) -> str:
        """Return what a field holds, just as it was typed; empty if it is not there."""
        return next(iter(self.fields.get(name, ())), "")

    def texts(self, name: str) -> Sequence[str]:
        """Return all that was chosen of a field."""
        return self.fields.get(name, ())


async def read_form(request: Request, max_bytes: int = MAX_FORM_BYTES) -> Form:
    """Read what a form posted.

    Raises:
        ProblemError: it is none, or too much.
    """
    if not _TYPE.fullmatch(header(request.scope, b"content-type").strip()):
        raise ProblemError(UNSUPPORTED_MEDIA_TYPE, "Only forms of the console are taken here.")
    refuse_encoded(request.scope)
    body = await read_body(request, max_bytes=max_bytes, timeout_s=_TIMEOUT_S)
    try:
        return form_of(body)
    except ValueError:
        raise ProblemError(MALFORMED_REQUEST, "The form could not be read.") from None


def form_of(body: bytes) -> Form:
    """Read a form; lines of a text end as they do everywhere else.

    Raises:
        ValueError: it is no form, or holds characters that no text has.
    """
    text = body.decode("ascii")
    if "%00" in text:
        message = "a form holds NUL"
        raise ValueError(message)
    read = parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    return Form(
        {name: [each.replace("\r\n", "\n") for each in values] for name, values in read.items()}
    )

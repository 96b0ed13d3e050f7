"""The fields of a new password, and what may be wrong with what was filled in."""

from typing import Final

from notifier.access.passwords import MIN_CHARS, flaw_of
from notifier.api.console.fields import Control, Field, Flaws
from notifier.api.console.forms import Form

NEW: Final = "new"
_AGAIN: Final = "again"
NEW_PASSWORD: Final = (
    Field(
        NEW,
        "New password",
        f"At least {MIN_CHARS} characters; a few words that only you would put together",
        Control.SECRET,
        fills="new-password",
    ),
    Field(_AGAIN, "The same again", control=Control.SECRET, fills="new-password"),
)


def flaws_of_new(form: Form, login: str) -> Flaws:
    """Return what is wrong with a new password of `login`."""
    if flaw := flaw_of(form.secret(NEW), login):
        return {NEW: [flaw]}
    if form.secret(NEW) != form.secret(_AGAIN):
        return {_AGAIN: ["the two differ"]}
    return {}

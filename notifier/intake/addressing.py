"""Whom a draft is for: an address that came along, or a person's in the directory."""

from collections.abc import Mapping

from notifier.audience.person import Person
from notifier.audience.recipient import normalise
from notifier.errors import RecipientError
from notifier.intake.draft import Draft, Flaw
from notifier.value import value

NEITHER = "this field is required, or user_id"
NO_SUCH_PERSON = (
    "there is no such recipient: PUT /api/v1/recipients/{user_id} adds one; without user_id no "
    "choices are looked up"
)


@value
class Addressed:
    """Where a notification goes, in its channel's normal form, and whom it is for."""

    recipient: str
    person: Person | None = None
    is_given: bool = False
    """Whether the address came along."""


def addressed(draft: Draft, people: Mapping[str, Person]) -> Addressed | list[Flaw]:
    """Address a draft; `people` are those that its service knows, by the ids asked for."""
    person = people.get(draft.user_id) if draft.user_id is not None else None
    flaws = (
        [Flaw("user_id", NO_SUCH_PERSON)] if draft.user_id is not None and person is None else []
    )
    recipient = _recipient(draft, person)
    if isinstance(recipient, Flaw):
        return [*flaws, recipient]
    if flaws or recipient is None:
        return flaws
    return Addressed(recipient=recipient, person=person, is_given=draft.recipient is not None)


def _recipient(draft: Draft, person: Person | None) -> str | Flaw | None:
    """Return the address; None where it was to be that of somebody unknown."""
    if draft.recipient is not None:
        return _given(draft, draft.recipient)
    if draft.user_id is None:
        return Flaw("recipient", NEITHER)
    if person is None:
        return None
    address = person.address_for(draft.channel)
    if address is None:
        return Flaw("user_id", f"this recipient has no address for {draft.channel}")
    return address.address


def _given(draft: Draft, recipient: str) -> str | Flaw:
    try:
        return normalise(draft.channel, recipient)
    except RecipientError as error:
        return Flaw("recipient", str(error))

"""Sending what a notification said to another address, as a notification of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypedDict
from uuid import UUID

from notifier.content.library import Library
from notifier.content.template import TemplateRef
from notifier.idempotency import NotFound
from notifier.intake.draft import Draft, Flaw
from notifier.intake.drafting import Drafter
from notifier.intake.ports import Submission
from notifier.notification.model import JsonValue, Notification
from notifier.notification.orders import Erased, Refused
from notifier.notification.reading import QueryStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is otherwise about a notification that is made of another one."""

    recipient: str | None = None
    """Its address; None: whom the other one was for."""
    variables: Mapping[str, JsonValue] = field(default_factory=dict)
    """What fills it instead; the other one's stay as far as they are not named."""


Made: TypeAlias = Submission | Sequence[Flaw] | NotFound | Refused | Erased
"""What is to be submitted, or why there is nothing."""


@dataclass(frozen=True, slots=True)
class Forwarder:
    """Makes of a notification that came to its end another one, that says something else or not.

    The first one stays as it is, with its whole timeline; each knows of the other.
    """

    queries: QueryStore
    library: Library
    drafter: Drafter

    async def submission(self, id: UUID, edit: Edit, *, service: str | None) -> Made:
        """Return what is to be submitted: the same content, in the same version, but for `edit`.

        At another address it is nobody's of the directory. Neither its time to be sent nor its end
        goes along.
        """
        it = await self.queries.get(id, service=service)
        if it is None:
            return NotFound()
        if not it.status.is_final:
            return Refused(it.status)
        draft = await self._draft(it, edit)
        if draft is None:
            return Erased()
        [made] = await self.drafter.submissions([draft], service=it.service)
        if isinstance(made, list):
            return made
        return replace(made, mail=it.mail, forwarded_from=it.id)

    async def _draft(self, it: Notification, edit: Edit) -> Draft | None:
        """Return what it was made of; None if that is erased."""
        pin = it.template
        version = await self.library.version(pin.version_id) if pin else None
        if (it.variables if pin else it.content) is None or (pin and not version):
            return None
        return Draft(
            channel=it.channel,
            **_addressed(it, edit),
            category=it.addressee.category if it.addressee and not pin else None,
            content=it.content,
            subject=it.subject,
            html=it.html,
            action_url=it.action_url,
            variables={**(it.variables or {}), **edit.variables} or it.variables,
            lane=it.lane,
            metadata=it.metadata or None,
            on_unknown=it.on_unknown,
            template=TemplateRef(version.name, version.number) if version else None,
            locale=pin.locale if pin else None,
            literal=it.is_finished,
        )


class _To(TypedDict):
    recipient: str | None
    user_id: str | None


def _addressed(it: Notification, edit: Edit) -> _To:
    whom = it.addressee
    if edit.recipient is not None or whom is None or whom.user_id is None:
        return {"recipient": edit.recipient or it.recipient, "user_id": None}
    own = it.recipient if whom.is_address_given else None
    return {"recipient": own, "user_id": whom.user_id}

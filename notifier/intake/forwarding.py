"""Sending what a notification said to another address, as a notification of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from notifier.content.library import Library
from notifier.content.template import TemplateRef
from notifier.idempotency import NotFound
from notifier.intake.draft import Draft, Flaw
from notifier.intake.drafting import Drafter
from notifier.intake.ports import Submission
from notifier.notification.model import Notification
from notifier.notification.orders import Erased, Refused
from notifier.notification.reading import QueryStore


@dataclass(frozen=True, slots=True)
class Forwarder:
    """Makes of a notification that came to its end another one, to another address.

    The first one stays as it is, with its whole timeline; each knows of the other.
    """

    queries: QueryStore
    library: Library
    drafter: Drafter

    async def submission(
        self, id: UUID, recipient: str, *, service: str | None
    ) -> Submission | Sequence[Flaw] | NotFound | Refused | Erased:
        """Return what is to be submitted: the same content, in the same version, for `recipient`.

        It is nobody's of the directory, and neither its time to be sent nor its end goes along.
        """
        it = await self.queries.get(id, service=service)
        if it is None:
            return NotFound()
        if not it.status.is_final:
            return Refused(it.status)
        draft = await self._draft(it, recipient)
        if draft is None:
            return Erased()
        [made] = await self.drafter.submissions([draft], service=it.service)
        if isinstance(made, list):
            return made
        return replace(made, mail=it.mail, forwarded_from=it.id)

    async def _draft(self, it: Notification, recipient: str) -> Draft | None:
        """Return what it was made of; None if that is erased."""
        pin = it.template
        version = await self.library.version(pin.version_id) if pin else None
        if (it.variables if pin else it.content) is None or (pin and not version):
            return None
        return Draft(
            channel=it.channel,
            recipient=recipient,
            category=it.addressee.category if it.addressee and not pin else None,
            content=it.content,
            subject=it.subject,
            html=it.html,
            action_url=it.action_url,
            variables=it.variables,
            lane=it.lane,
            metadata=it.metadata or None,
            on_unknown=it.on_unknown,
            template=TemplateRef(version.name, version.number) if version else None,
            locale=pin.locale if pin else None,
            literal=it.is_finished,
        )

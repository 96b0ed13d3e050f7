"""What goes along with a mail: files that were uploaded before, each known to be there."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from notifier.content.attachment import Attachment, AttachmentLimits, Files
from notifier.content.files import is_content_id, is_image
from notifier.intake.draft import AttachmentWish, Draft, Flaw
from notifier.intake.said import Said
from notifier.notification.mail import AttachmentRef
from notifier.notification.model import Channel

MAX_ATTACHMENTS = 20
_UNKNOWN = "no attachment of yours has this id: upload it first, and send it within a day"


@dataclass(frozen=True, slots=True)
class Attacher:
    """Looks up what drafts want to attach."""

    files: Files
    limits: AttachmentLimits

    async def held(self, drafts: Sequence[Draft], service: str) -> Mapping[UUID, Attachment]:
        """Return the files that drafts refer to, kept for long enough to accept them.

        Raises:
            StoreUnavailableError: they could not be looked up.
        """
        ids = {id for draft in drafts if draft.attachments or draft.images for id in _ids(draft)}
        return await self.files.hold(ids, service=service) if ids else {}

    async def attached(
        self, draft: Draft, held: Mapping[UUID, Attachment], said: Said | list[Flaw]
    ) -> tuple[AttachmentRef, ...] | list[Flaw]:
        """Return what goes along with a draft that says this; or all that is wrong.

        Raises:
            StoreUnavailableError: the images of its template could not be looked up.
        """
        if not draft.attachments and (isinstance(said, list) or not said.shown):
            return ()
        shown = None if isinstance(said, list) else said.shown - said.images.keys()
        if not draft.attachments and not shown:
            return ()
        own = {name: id for name, id in draft.images.items() if name in (shown or ())}
        flaws = list(_flaws(draft, held, None if shown is None else shown - own.keys()))
        if not flaws and not isinstance(said, list):
            flaws = [each async for each in self._size_flaws(draft, held, said)]
        if flaws:
            return flaws
        files = (_ref(each, held[each.id]) for each in draft.attachments)
        return (*files, *(AttachmentRef(id, name) for name, id in own.items() if id in held))

    async def _size_flaws(
        self, draft: Draft, held: Mapping[UUID, Attachment], said: Said
    ) -> AsyncIterator[Flaw]:
        images = await self.files.of(said.images.values()) if said.images else {}
        known = (*(held[id] for id in _ids(draft) if id in held), *images.values())
        size, most = sum(each.sent_bytes for each in known), self.limits.max_mail_bytes
        if size > most:
            words = f"they take {size} bytes in a mail, as base64, and at most {most} are sent"
            yield Flaw("attachments", words)


def _ids(draft: Draft) -> Iterator[UUID]:
    yield from (each.id for each in draft.attachments)
    yield from draft.images.values()


def _flaws(
    draft: Draft, held: Mapping[UUID, Attachment], shown: Collection[str] | None
) -> Iterator[Flaw]:
    """Say what is wrong; of what its html shows nothing where that is not known."""
    if draft.attachments and draft.channel is not Channel.EMAIL:
        yield Flaw("attachments", "only an email has attachments")
        return
    times = Counter(each.id for each in draft.attachments)
    names = Counter(held[each.id].name for each in draft.attachments if _is_shown(each, held))
    for index, wish in enumerate(draft.attachments):
        file = held.get(wish.id)
        if file is None:
            yield Flaw("attachments", _UNKNOWN, (index, "id"))
        elif times[wish.id] > 1:
            yield Flaw("attachments", "it is there more than once", (index, "id"))
        elif wish.is_inline and (fault := _inline_fault(file, names, shown)):
            yield Flaw("attachments", fault, (index, "inline"))
    for name in sorted(set(shown or ()) - names.keys()):
        words = f"the html shows cid:{name[:100]}, and no inline attachment has this name"
        yield Flaw("attachments", words)


def _is_shown(wish: AttachmentWish, held: Mapping[UUID, Attachment]) -> bool:
    return wish.is_inline and wish.id in held


def _inline_fault(
    file: Attachment, names: Counter[str], shown: Collection[str] | None
) -> str | None:
    if not is_image(file.type):
        return "only an image is shown within a mail"
    if not is_content_id(file.name):
        return "upload it with a name of up to 64 letters, digits, dots, _ and - to show it"
    if names[file.name] > 1:
        return "another one that is shown has the same name"
    if shown is not None and file.name not in shown:
        return f"the html does not show it: it has no cid:{file.name}"
    return None


def _ref(wish: AttachmentWish, file: Attachment) -> AttachmentRef:
    return AttachmentRef(wish.id, file.name if wish.is_inline else None)

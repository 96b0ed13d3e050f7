"""A claimed notification as it goes to a provider: addressed, filled, its files beside it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from notifier.delivery.addressing import Addressed, Addresser
from notifier.delivery.attaching import Loader
from notifier.delivery.composing import Composer
from notifier.delivery.ports import Claimed, Fates
from notifier.errors import AttachmentError, AttachmentsWaitError, NotifierError, TemplateError
from notifier.notification.model import Message
from notifier.notification.origin import Condition
from notifier.notification.outcomes import Outcome, Permanent, Suppressed, Transient, Withheld

log = structlog.get_logger(__name__)

_SEALED = Transient("sealed", "its content is sealed under a key that is not here", throttled=True)
_UNREAD = Transient("unread", "its recipient or its template could not be read", throttled=True)
_ADVICE = "give every worker all of NOTIFIER_SECRETS__CONTENT_KEYS"

_NEEDLESS = {
    Condition.READ: "its recipient has read the notification before it",
    Condition.DELIVERED: "the notification before it has arrived",
}


@dataclass(frozen=True, slots=True)
class Preparer:
    """Makes messages of what was claimed."""

    addresser: Addresser
    composer: Composer
    loader: Loader
    fates: Fates

    @asynccontextmanager
    async def prepared(self, claimed: Claimed) -> AsyncIterator[Message | Outcome | Withheld]:
        """Return what goes to a provider, or why nothing can.

        Its files are in memory as long as the context lasts.
        """
        if claimed.is_sealed:
            log.error("delivery.sealed", id=str(claimed.id), advice=_ADVICE)
            yield _SEALED
            return
        async with AsyncExitStack() as loading:
            yield await self._message(claimed, loading)

    async def _message(
        self, claimed: Claimed, loading: AsyncExitStack
    ) -> Message | Outcome | Withheld:
        try:
            if claimed.unless and await self.fates.has_come(claimed.unless):
                return Suppressed("unless", _NEEDLESS[claimed.unless.condition])
            to = await self.addresser.addressed(claimed)
            if not isinstance(to, Addressed):
                return to
            message = await self.composer.message(to.claimed, to.person)
            if not message.mail or not message.mail.attachments:
                return message
            files = self.loader.loaded(message.mail.attachments)
            return replace(message, attached=await loading.enter_async_context(files))
        except TemplateError as error:
            return Permanent("template", str(error))
        except AttachmentError as error:
            return Permanent("attachment", str(error))
        except AttachmentsWaitError as error:
            return Transient("attachments", str(error), throttled=True)
        except NotifierError:
            return _UNREAD

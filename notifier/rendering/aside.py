"""Filling aside: in a child process that may use little, and may die of it."""

import signal

import structlog

from notifier.content.encoding import Document, content_document
from notifier.content.ports import Offered
from notifier.content.template import Content, Rendered, Variables
from notifier.errors import TemplateError, WorkshopUnavailableError
from notifier.notification.model import Channel
from notifier.rendering.asking import Asker, ChildLostError
from notifier.rendering.framing import ROOMY, framed
from notifier.rendering.limits import MAX_DEPTH
from notifier.rendering.wire import is_deeper, offered_document

log = structlog.get_logger(__name__)

TOO_EXPENSIVE = "it takes too much work or memory to fill it; make less of its values"
_MAX_FRAME_BYTES = 8_000_000
_LATE_S = 20.0
_ENDED_BY_OTHERS = frozenset(-each for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
"""Exit codes of a child that did not end of what it was asked."""


class Aside:
    """Fills contents in a child process, one at a time; it is started when it is first needed."""

    def __init__(self, *, late_s: float = _LATE_S) -> None:
        self._asker = Asker(
            ROOMY, late_s=late_s, unavailable="no process can be started that fills"
        )

    async def filled(
        self,
        content: Content,
        channel: Channel,
        *,
        variables: Variables,
        offered: Offered,
        now: str,
        default_zone: str,
    ) -> Rendered:
        """Fill the parts of a channel of a content that is in one locale.

        Raises:
            TemplateError: they cannot be filled, or not with what a child may use.
            WorkshopUnavailableError: the child could not be started, or was ended by others.
        """
        if is_deeper(variables, MAX_DEPTH):
            raise TemplateError(f"variables are nested deeper than {MAX_DEPTH}")
        frame = framed(
            {
                "do": "fill",
                "content": content_document(content),
                "channel": channel.value,
                "variables": dict(variables),
                "offered": offered_document(offered),
                "now": now,
                "default_zone": default_zone,
            }
        )
        if len(frame) > _MAX_FRAME_BYTES:
            raise TemplateError(TOO_EXPENSIVE)
        answer = await self._answered(frame)
        if "fault" in answer:
            raise TemplateError(answer["fault"])
        return Rendered(**answer["rendered"])

    async def _answered(self, frame: bytes, tries: int = 2) -> Document:
        try:
            return await self._asker.answer(frame)
        except TimeoutError as error:
            log.warning("filling.late")
            raise WorkshopUnavailableError("it took too long to fill a template") from error
        except ChildLostError as lost:
            code = lost.exit_code
        log.warning("filling.child_lost", exit_code=code)
        if code in _ENDED_BY_OTHERS:
            raise WorkshopUnavailableError("the process that fills templates was ended")
        if code == -signal.SIGKILL and tries > 1:
            # The system may have run out of memory for somebody else's sake.
            return await self._answered(frame, tries - 1)
        raise TemplateError(TOO_EXPENSIVE)

"""Looking at what was never published, in a child process that may die of it."""

import signal
from collections.abc import Sequence
from dataclasses import asdict

import structlog

from notifier.clock import Clock
from notifier.content.encoding import Document, content_document
from notifier.content.ports import Checked, Offered
from notifier.content.shared import Shared
from notifier.content.template import (
    Content,
    Finding,
    Rendered,
    Severity,
    VariableFault,
    Variables,
)
from notifier.notification.model import Channel
from notifier.notification.sms import DEFAULT_RULES, SmsRules
from notifier.rendering.asking import Asker, ChildLostError
from notifier.rendering.formats import UTC
from notifier.rendering.framing import framed
from notifier.rendering.limits import MAX_DEPTH
from notifier.rendering.wire import (
    is_deeper,
    offered_document,
    read_checked,
    read_preview,
    shared_document,
)

log = structlog.get_logger(__name__)

_MAX_FRAME_BYTES = 8_000_000
_LATE_S = 10.0
"""The kernel ends a question after two seconds of work; a busy machine makes them longer."""

_TOO_COMPLEX = Finding(
    severity=Severity.ERROR,
    code="too-complex",
    detail="it took too much to look at it; nest less, and make chains and loops shorter",
)
_TOO_DEEP = Finding(
    severity=Severity.ERROR, code="too-deep", detail=f"JSON is nested deeper than {MAX_DEPTH}"
)
_TOO_LONG = Finding(
    severity=Severity.ERROR, code="too-long", detail="the parts together are too long"
)


class ChildWorkshop:
    """Asks a child process, one question at a time."""

    def __init__(
        self,
        clock: Clock,
        *,
        sms: SmsRules = DEFAULT_RULES,
        default_zone: str = UTC,
        late_s: float = _LATE_S,
    ) -> None:
        self._clock = clock
        self._sms = sms
        self._default_zone = default_zone
        self._asker = Asker(late_s=late_s, unavailable="no process for drafts can be started")

    async def check(self, content: Content, shared: Shared) -> Checked:
        """Return all that is wrong with a content that takes in `shared`, or may be.

        Raises:
            WorkshopUnavailableError: no child can be started.
        """
        if is_deeper([content.schema, *content.examples], MAX_DEPTH + 1):
            return Checked([_TOO_DEEP], None)
        found = await self._asked(
            {
                "do": "check",
                "content": content_document(content),
                "shared": shared_document(shared),
                "sms": asdict(self._sms),
            }
        )
        if isinstance(found, Finding):
            return Checked([found], None)
        return read_checked(found)

    async def preview(
        self,
        content: Content,
        channel: Channel,
        *,
        locale: str | None,
        variables: Variables,
        offered: Offered,
        shared: Shared | None,
    ) -> Rendered | Sequence[VariableFault] | Sequence[Finding]:
        """Fill a content's parts: a draft's that takes in `shared`, or with None a version's.

        Raises:
            WorkshopUnavailableError: no child can be started.
        """
        if is_deeper([content.schema, *content.examples, variables], MAX_DEPTH + 1):
            return [_TOO_DEEP]
        found = await self._asked(
            {
                "do": "preview",
                "content": content_document(content),
                "shared": None if shared is None else shared_document(shared),
                "channel": channel.value,
                "locale": locale,
                "variables": dict(variables),
                "offered": offered_document(offered),
                "now": self._clock.now().isoformat(),
                "default_zone": self._default_zone,
            }
        )
        return [found] if isinstance(found, Finding) else read_preview(found)

    async def close(self) -> None:
        """End the child."""
        await self._asker.close()

    async def _asked(self, question: Document) -> Document | Finding:
        frame = framed(question)
        if len(frame) > _MAX_FRAME_BYTES:
            return _TOO_LONG
        try:
            return await self._asker.answer(frame)
        except TimeoutError:
            code = -signal.SIGKILL
        except ChildLostError as lost:
            code = lost.exit_code
        log.warning("workshop.child_lost", exit_code=code)
        return _TOO_COMPLEX

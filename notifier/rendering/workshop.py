"""Looking at what was never published, in a child process that may die of it."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import structlog

import notifier
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
from notifier.errors import WorkshopUnavailableError
from notifier.notification.model import Channel
from notifier.notification.sms import DEFAULT_RULES, SmsRules
from notifier.rendering.formats import UTC
from notifier.rendering.framing import HEADER, framed
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
_START_WITHIN_S = 60.0
_END_WITHIN_S = 2.0
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
    """Asks a child process, one question at a time; one is kept, and another started if it dies.

    A child is given nothing of this process's environment, and ends with it.
    """

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
        self._late_s = late_s
        self._turn = asyncio.Lock()
        self._child: Process | None = None

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
        async with self._turn:
            await self._discard(within_s=_END_WITHIN_S)

    async def _asked(self, question: Document) -> Document | Finding:
        frame = framed(question)
        if len(frame) > _MAX_FRAME_BYTES:
            return _TOO_LONG
        async with self._turn:
            child = self._child = self._child or await self._started()
            try:
                async with asyncio.timeout(self._late_s):
                    return await _exchanged(child, frame)
            except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
                is_late = isinstance(error, TimeoutError)
                await self._discard(within_s=0 if is_late else _END_WITHIN_S)
                log.warning("workshop.child_lost", exit_code=child.returncode)
                return _TOO_COMPLEX
            except BaseException:
                # Whoever gave up left an answer on its way, which is nobody else's.
                await self._discard()
                raise

    async def _started(self) -> Process:
        root = str(Path(notifier.__file__).parents[1])
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "notifier.rendering.child",
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={"PYTHONPATH": root, "PYTHONUTF8": "1"},
        )
        self._child = child
        try:
            async with asyncio.timeout(_START_WITHIN_S):
                await _answer(child)
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            await self._discard()
            raise WorkshopUnavailableError("no process for drafts can be started") from error
        except BaseException:
            await self._discard()
            raise
        return child

    async def _discard(self, within_s: float = 0) -> None:
        """End the child; one that ends by itself within that time is not killed.

        To kill what is dead already would take its exit code from asyncio, which complains.
        """
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin:
            child.stdin.close()
        try:
            async with asyncio.timeout(within_s):
                await child.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                child.kill()
        # It has nothing to say any more; unread, its pipe would stay open.
        await child.communicate()


async def _exchanged(child: Process, frame: bytes) -> Document:
    assert child.stdin  # noqa: S101  asked for at the start
    child.stdin.write(frame)
    await child.stdin.drain()
    return await _answer(child)


async def _answer(child: Process) -> Document:
    assert child.stdout  # noqa: S101  asked for at the start
    (size,) = HEADER.unpack(await child.stdout.readexactly(HEADER.size))
    document: Document = json.loads(await child.stdout.readexactly(size))
    return document

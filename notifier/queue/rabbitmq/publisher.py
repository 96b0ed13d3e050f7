"""Publishing with the broker's confirmation, over one connection."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never, cast

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPChannelError, ChannelInvalidStateError, ChannelNotFoundEntity
from aiormq import Channel

from notifier.errors import PublishError, QueueUnavailableError
from notifier.evidence import Evidence
from notifier.queue.rabbitmq import frames, reasons
from notifier.queue.rabbitmq.connection import Connection, bounded, close_quietly, new_channel
from notifier.queue.rabbitmq.frames import Batch, Fate, Publish
from notifier.queue.rabbitmq.refusing import Refusals

log = structlog.get_logger(__name__)

_PROBE_TIMEOUT_S = 1.0
_SHORTEST_USE_S = 1.0
"""A broker that refuses everything is not asked for more channels than one in this time."""
_SILENT = "the broker did not confirm in time"
_IN_ALARM = f"the broker takes no messages: {reasons.ALARM}"

Declare: TypeAlias = Callable[[AbstractConnection], Awaitable[None]]


@dataclass(slots=True, eq=False)
class _Pipe:
    """A channel and the publishes that wait for a confirmation on it."""

    connection: AbstractConnection
    owner: AbstractChannel
    channel: Channel
    opened_at_s: float
    waiting: int = field(default=0)


class RabbitPublisher:
    """Publishes on one channel and replaces it after a time-out, and after a refusal.

    RabbitMQ 3.10 refuses all that comes on a channel whose first message to a queue came just
    after the node died that led it, until that node is back; a channel opened later it serves.

    While the connection is down, or blocked by the broker (an alarm), publishing fails at once.
    `declare`, where it is allowed, is called before the next message once one had nowhere to go.
    `refusals` tell why messages were refused.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeout_s: float,
        declare: Declare | None,
        refusals: Refusals,
    ) -> None:
        self._connection = connection
        self._refusals = refusals
        self._timeout_s = timeout_s
        self._declare = declare
        self._pipe: _Pipe | None = None
        self._opening = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._lacks_queues = False
        self._evidence = Evidence("broker", time.monotonic)

    async def send(self, messages: Sequence[Publish]) -> list[PublishError | None]:
        """Publish messages together; returns once the broker has answered for all of them.

        That takes at most the time-out, and where it refused some a second or two. The answers
        are in the order of the messages: None for one that is confirmed, otherwise why it is not
        known to be in a queue.
        """
        if not messages:
            return []
        fates, reason = await self._publish(messages, self._timeout_s)
        if Fate.RETURNED in fates:
            self._lacks_queues = self._declare is not None
        refused = [each for each, fate in zip(messages, fates, strict=True) if fate is Fate.REFUSED]
        refusals = await self._refusals.reasons(refused)
        errors = [
            _error(fate, refusals.get(message, reason))
            for message, fate in zip(messages, fates, strict=True)
        ]
        self._note(errors, is_probe=False)
        return errors

    async def prove(self, probe: Publish, look: Callable[[], Awaitable[str | None]]) -> str | None:
        """Return why the broker takes no messages, as the last ones found; None if it does.

        Where that is not known, or was bad, `probe` is published, which no queue is bound for;
        then `look` says what else is wrong.
        """

        async def publish() -> None:
            fates, reason = await self._publish([probe], min(self._timeout_s, _PROBE_TIMEOUT_S))
            is_taken = fates in ([Fate.RETURNED], [Fate.CONFIRMED])
            problem = await look() if is_taken else reason
            self._note([PublishError(problem) if problem else None], is_probe=True)

        return await self._evidence.proved(publish)

    def _note(self, errors: Sequence[PublishError | None], *, is_probe: bool) -> None:
        failed = next((str(error) for error in errors if error), None)
        if failed is None:
            self._evidence.worked(is_probe=is_probe)
        elif is_probe and failed == _SILENT:
            self._evidence.silent(failed, is_probe=True)
        else:
            self._evidence.failed(failed, is_probe=is_probe)

    async def _publish(
        self, messages: Sequence[Publish], timeout_s: float
    ) -> tuple[Sequence[Fate], str]:
        """Publish messages together; what became of each, and why it is not known of some."""
        pipe: _Pipe | None = None
        fates: Sequence[Fate] = [Fate.UNKNOWN] * len(messages)
        reason = _SILENT
        try:
            async with asyncio.timeout(timeout_s):
                pipe = self._usable_pipe() or await self._open()
                pipe.waiting += 1
                batch = await frames.publish(pipe.channel, messages)
                fates = batch.fates
                await _answered(batch)
            if Fate.REFUSED in fates and time.monotonic() - pipe.opened_at_s >= _SHORTEST_USE_S:
                self._retire(pipe)
        except TimeoutError:
            if pipe and _is_blocked(pipe.connection):
                reason = _IN_ALARM
            self._give_up(pipe)
        except (PublishError, ChannelInvalidStateError) as error:
            reason = str(error)
        finally:
            self._release(pipe, messages)
        return fates, reason

    async def close(self) -> None:
        """Close the channel; the connection is left to its owner."""
        self._retire(self._pipe)
        if self._closing:
            await asyncio.wait(self._closing)

    def _usable_pipe(self) -> _Pipe | None:
        connection = self._connection.current
        if connection is None:
            raise PublishError(f"the broker is away: {self._connection.problem}")
        if _is_blocked(connection):
            raise PublishError(_IN_ALARM)
        pipe = self._pipe
        if pipe is None or pipe.connection is not connection or pipe.channel.is_closed:
            return None
        return None if self._lacks_queues else pipe

    async def _open(self) -> _Pipe:
        async with self._opening:
            pipe = self._usable_pipe()
            if pipe is None:
                self._retire(self._pipe)
                self._pipe = pipe = await self._open_on(await self._connection.up())
            return pipe

    async def _open_on(self, connection: AbstractConnection) -> _Pipe:
        try:
            if self._lacks_queues and self._declare:
                await self._declare(connection)
                self._lacks_queues = False
            channel = new_channel(connection, confirms=True)
            await bounded(channel.initialize(), self._timeout_s)
            underlay = cast(Channel, await channel.get_underlay_channel())
            return _Pipe(connection, channel, underlay, opened_at_s=time.monotonic())
        except (QueueUnavailableError, AMQPChannelError) as error:
            self._connection.drop(connection)
            raise PublishError(
                f"the broker opens no channel: {reasons.of_connecting(error)}"
            ) from error

    def _give_up(self, pipe: _Pipe | None) -> None:
        if pipe is None:
            self._connection.drop(self._connection.current)
        else:
            self._retire(pipe)

    def _retire(self, pipe: _Pipe | None) -> None:
        """Take a channel out of use; it is closed once nothing waits on it."""
        if pipe is not None and pipe is self._pipe:
            self._pipe = None
            if not pipe.waiting:
                self._close(pipe)

    def _release(self, pipe: _Pipe | None, messages: Sequence[Publish]) -> None:
        if pipe is not None:
            frames.forget(pipe.channel, messages)
            pipe.waiting -= 1
            if not pipe.waiting and pipe is not self._pipe:
                self._close(pipe)

    def _close(self, pipe: _Pipe) -> None:
        task = asyncio.create_task(close_quietly(pipe.owner, self._timeout_s))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _answered(batch: Batch) -> None:
    """Wait for all of a batch; raises PublishError if its channel or connection ends before."""
    task = asyncio.current_task()
    try:
        await batch.done
    except ChannelNotFoundEntity:
        batch.return_rest()
    # aiormq ends what waits on a lost connection with what ended it: also with a bare Exception,
    # or with CancelledError although nobody cancelled us.
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
            raise
        if isinstance(error, AMQPChannelError):
            raise PublishError(f"the broker refused: {reasons.of_refusal(error)}") from error
        raise PublishError(f"not confirmed: {type(error).__name__}") from error


def _error(fate: Fate, reason: str) -> PublishError | None:
    match fate:
        case Fate.CONFIRMED:
            return None
        case Fate.RETURNED:
            return PublishError("no queue is bound for it")
        case Fate.REFUSED | Fate.UNKNOWN:
            return PublishError(reason)
        case _:
            assert_never(fate)


def _is_blocked(connection: AbstractConnection) -> bool:
    """Whether `ready()` of the connection would wait; asked without waiting."""
    if connection.transport is None:
        return True
    waiting = connection.transport.connection.ready()
    try:
        waiting.send(None)
    except StopIteration:
        return False
    waiting.close()
    return True

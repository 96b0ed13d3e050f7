"""One envelope into a queue, for tests that publish one at a time."""

from notifier.notification.envelope import Envelope
from notifier.notification.queueing import Queue


async def publish(queue: Queue, envelope: Envelope) -> None:
    """Publish `envelope`; raises PublishError if it is not confirmed."""
    [error] = await queue.publish([envelope])
    if error:
        raise error


async def bury(queue: Queue, envelope: Envelope) -> None:
    """Put `envelope` into its dead queue; raises PublishError if it is not confirmed."""
    [error] = await queue.bury([envelope])
    if error:
        raise error

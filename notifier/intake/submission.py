"""Accepting notifications: store them, then publish."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from notifier.idempotency import Applied, Idempotency
from notifier.intake.ports import InsertResult, Intake, Submission
from notifier.intake.publishing import Publisher, queue_of
from notifier.notification.envelope import Envelope


class Submitter:
    """Accepts one or many notifications."""

    def __init__(self, intake: Intake, publisher: Publisher) -> None:
        self._intake = intake
        self._publisher = publisher

    async def submit(
        self, submissions: Sequence[Submission], idempotency: Idempotency | None = None
    ) -> InsertResult:
        """Store all of `submissions`, or none, and publish those that are due.

        Once this returns `Applied` they are committed and will reach a final state, whatever
        becomes of the broker or of this process.

        Raises:
            StoreUnavailableError: it is not known to be stored; submit again with the same
                Idempotency-Key.
        """
        result = await self._intake.insert(submissions, idempotency)
        if isinstance(result, Applied):
            due = [
                each
                for each in submissions
                if each.send_at is None and each.id not in result.suppressed
            ]
            await self.publish(due)
        return result

    async def publish(self, due: Sequence[Submission]) -> None:
        """Publish what was accepted and is due, as far as there is room; a relay has the rest."""
        queues = {queue for queue, _ in groupby(map(queue_of, due))}
        for service, sent in groupby(due, key=attrgetter("service")):
            self._publisher.offer(map(_envelope, sent), service=service)
            await self._publisher.keep_up(service, queues)


def _envelope(submission: Submission) -> Envelope:
    return Envelope(
        id=submission.id,
        channel=submission.channel,
        lane=submission.lane,
        attempt=0,
        traceparent=submission.traceparent,
    )

"""Telling hooks of calls to providers."""

from dataclasses import fields

from notifier.clock import Clock
from notifier.delivery.judging import fault_of
from notifier.delivery.ports import ChannelAdapter
from notifier.hooks.calling import Hooks
from notifier.hooks.moments import Answered, Moment, Sending
from notifier.notification.model import Message
from notifier.notification.outcomes import Outcome, Sent, Unknown

_SENDING = [each.name for each in fields(Sending)]
_CUT_OFF = Unknown("cut_off", "the call did not come to its end")


class ToldAdapter:
    """An adapter of whose calls hooks are told; it waits for none of them."""

    def __init__(self, adapter: ChannelAdapter, hooks: Hooks, clock: Clock) -> None:
        self._adapter = adapter
        self._hooks = hooks
        self._clock = clock

    @property
    def provider(self) -> str:
        return self._adapter.provider

    async def send(self, message: Message) -> Outcome:
        sending = self._sending(message)
        self._hooks.tell(Moment.BEFORE_SEND, sending)
        began_s = self._clock.monotonic_s()
        outcome: Outcome = _CUT_OFF
        try:
            outcome = await self._adapter.send(message)
            return outcome
        finally:
            duration_s = self._clock.monotonic_s() - began_s
            self._hooks.tell(Moment.AFTER_OUTCOME, _answered(sending, outcome, duration_s))

    async def close(self) -> None:
        await self._adapter.close()

    def _sending(self, message: Message) -> Sending:
        return Sending(
            id=message.id,
            service=message.service,
            channel=message.channel.value,
            lane=message.lane.value,
            attempt=message.attempt,
            provider=self._adapter.provider,
            metadata=dict(message.metadata or {}),
            at=self._clock.now(),
        )


def _answered(sending: Sending, outcome: Outcome, duration_s: float) -> Answered:
    fault = fault_of(outcome)
    return Answered(
        **{name: getattr(sending, name) for name in _SENDING},
        outcome=fault.kind if fault else "sent",
        code=fault.code if fault else None,
        provider_id=outcome.provider_id if isinstance(outcome, Sent) else None,
        duration_s=duration_s,
    )

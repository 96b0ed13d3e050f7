"""What hooks are told of calls to providers."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from notifier.clock import SystemClock
from notifier.delivery.telling import ToldAdapter
from notifier.hooks.calling import Hook, Hooks
from notifier.hooks.moments import Answered, Sending
from notifier.notification.model import Message
from notifier.notification.outcomes import Outcome, Permanent, Sent
from tests.contract.store.stores import a_message, a_submission
from tests.patience import AT_ALL_S

MESSAGE = replace(a_message(a_submission()), metadata={"order": "17"})


class Provider:
    """A provider that answers, raises, or never does."""

    provider = "smtp"

    def __init__(self, answer: Outcome | Exception | None) -> None:
        self._answer = answer
        self.is_closed = False

    async def send(self, message: Message) -> Outcome:
        del message
        if self._answer is None:
            await asyncio.Event().wait()
        if isinstance(self._answer, Exception):
            raise self._answer
        assert self._answer is not None
        return self._answer

    async def close(self) -> None:
        self.is_closed = True


async def told_of(provider: Provider, timeout_s: float = AT_ALL_S) -> list[Sending]:
    told: list[Sending] = []
    target = SimpleNamespace(before_send=told.append, after_outcome=told.append)
    clock = SystemClock()
    hooks = Hooks([Hook("audit", target, timeout_s=AT_ALL_S, clock=clock)])
    hooks.start()
    adapter = ToldAdapter(provider, hooks, clock)
    try:
        async with asyncio.timeout(timeout_s):
            assert await adapter.send(MESSAGE) == provider._answer  # noqa: SLF001
    except (TimeoutError, ValueError):
        pass
    await adapter.close()
    assert provider.is_closed
    assert adapter.provider == "smtp"
    hooks.stop(clock.monotonic_s() + AT_ALL_S)
    return told


@pytest.mark.parametrize(
    ("answer", "outcome", "code", "provider_id"),
    [
        (Sent("abc"), "sent", None, "abc"),
        (Permanent("550", "no such mailbox"), "permanent", "550", None),
        (ValueError("a defect"), "unknown", "cut_off", None),
        (None, "unknown", "cut_off", None),
    ],
    ids=["sent", "refused", "crashed", "cut off"],
)
async def test_hooks_are_told_before_and_after_whatever_comes_of_a_call(
    answer: Outcome | Exception | None, outcome: str, code: str | None, provider_id: str | None
) -> None:
    before, after = await told_of(Provider(answer), AT_ALL_S if answer else 0.01)

    assert (before.id, before.provider, before.attempt) == (MESSAGE.id, "smtp", 1)
    assert before.metadata == {"order": "17"}
    assert isinstance(after, Answered)
    assert (after.outcome, after.code, after.provider_id) == (outcome, code, provider_id)
    assert after.at == before.at
    assert MESSAGE.recipient not in repr(after)
    assert MESSAGE.text not in repr(after)

"""What is pinned to a version of a template is sent as that version says."""

from dataclasses import replace
from uuid import uuid4

from notifier.content.template import Content
from notifier.delivery.retry import RetryPolicy
from notifier.errors import StoreUnavailableError
from notifier.intake.ports import Submission
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Pin, Status
from tests.contract.store.stores import a_submission
from tests.contract.worker.bench import Bench

NAME = "order.shipped"
SHIPPED = Content(
    default_locale="en",
    parts={
        "en": {Channel.EMAIL: {"subject": "Order {{ number }}", "text": "Dear {{ name }}"}},
        "de": {Channel.EMAIL: {"subject": "Auftrag {{ number }}", "text": "Hallo {{ name }}"}},
    },
    schema={"type": "object", "properties": {"number": {}, "name": {}, "prices": {}}},
)
ONCE = RetryPolicy(max_attempts=1)


async def published(bench: Bench, content: Content = SHIPPED) -> Pin:
    templates = bench.stores.templates
    draft = await templates.save(service="orders", name=NAME, content=content, if_match=None)
    id = uuid4()
    await templates.publish(draft=draft, compiled=content, id=id)  # type: ignore[arg-type]  # nobody else wrote it
    return Pin(id, "de-AT")


def pinned(pin: Pin) -> Submission:
    return replace(a_submission(), content=None, subject=None, html=None, template=pin)


async def accepted(bench: Bench, pin: Pin) -> Envelope:
    return await bench.accept(pinned(pin))


async def test_the_provider_is_handed_the_version_in_its_language(bench: Bench) -> None:
    envelope = await accepted(bench, await published(bench))
    newer = {"de": {Channel.EMAIL: {"subject": "Neu", "text": "Neu"}}}
    await published(bench, replace(SHIPPED, parts=newer))

    await bench.deliverer().deliver(envelope)

    (message,) = bench.adapter.messages
    assert (message.subject, message.text) == (f"Auftrag {10**30}", "Hallo Ada")
    assert await bench.stores.status(envelope.id) is Status.SENT


async def test_a_version_is_read_once_by_a_worker(bench: Bench) -> None:
    pin = await published(bench)
    envelopes = [await accepted(bench, pin) for _ in range(5)]
    deliverer = bench.deliverer()

    for envelope in envelopes:
        await deliverer.deliver(envelope)

    assert bench.templates.counts["by_id"] == 1
    assert len(bench.adapter.messages) == 5


async def test_a_version_that_is_gone_fails_and_reaches_no_provider(bench: Bench) -> None:
    envelope = await accepted(bench, Pin(uuid4(), "en"))

    await bench.deliverer().deliver(envelope)

    found = await bench.stores.get(envelope.id)
    assert found.fault is not None
    assert (found.status, found.fault.kind, found.fault.code) == (
        Status.FAILED,
        "permanent",
        "template",
    )
    assert bench.adapter.messages == []


async def test_a_version_that_cannot_be_read_for_now_costs_no_attempt(bench: Bench) -> None:
    envelope = await accepted(bench, await published(bench))
    bench.policy = ONCE
    bench.templates.failures["by_id"].append(StoreUnavailableError("away"))

    await bench.deliverer().deliver(envelope)

    found, events = await bench.stores.get(envelope.id), await bench.stores.events(envelope.id)
    assert (found.status, found.attempts, events[-1]) == (Status.PENDING, 0, "snooze")
    assert bench.adapter.messages == []


async def test_one_without_content_or_template_fails(bench: Bench) -> None:
    envelope = await bench.accept(replace(a_submission(), content=None))

    await bench.deliverer().deliver(envelope)

    assert await bench.stores.status(envelope.id) is Status.FAILED


async def test_a_version_that_could_end_a_worker_fails_and_the_next_one_is_sent(
    bench: Bench,
) -> None:
    """It was published when nobody knew: nothing finds it but its being filled."""
    text = "{% set l = [name] %}{{ (l * 10000000)|string|length }}"
    bomb = {"en": {Channel.EMAIL: {"subject": "Order", "text": text}}}
    first = await accepted(bench, await published(bench, replace(SHIPPED, parts=bomb)))
    second = await accepted(bench, await published(bench))
    deliverer = bench.deliverer()

    for envelope in (first, second):
        await deliverer.deliver(envelope)

    found = await bench.stores.get(first.id)
    assert found.fault is not None
    assert (found.status, found.fault.code) == (Status.FAILED, "template")
    assert await bench.stores.status(second.id) is Status.SENT
    assert len(bench.adapter.messages) == 1

"""Dead letters: what becomes one, what it says, and where it stays."""

from collections.abc import Mapping
from typing import Any

import pytest
from pamqp.commands import Basic, Exchange, Queue

from tests.contract.broker.bench import Bench
from tests.contract.broker.client import Client, Line, Mail
from tests.simulation.broker.versions import Told, Version

ONCE: Mapping[str, str | int] = {"dead-letter-exchange": "graves"}
SAFE: Mapping[str, str | int] = {
    "dead-letter-exchange": "graves",
    "dead-letter-strategy": "at-least-once",
    "overflow": "reject-publish",
}
WAYS = pytest.mark.parametrize("way", [ONCE, SAFE], ids=["at most once", "at least once"])


async def opened(client: Client) -> Line:
    """A channel with confirms, and the queue q."""
    line = await client.line()
    await line.select()
    await line.declare("q")
    return line


async def with_grave(line: Line) -> Line:
    """The exchange graves, and the queue grave that gets the letters of q."""
    await line.call(
        Exchange.Declare(exchange="graves", exchange_type="direct", durable=True),
        Exchange.DeclareOk,
    )
    await line.declare("grave")
    await line.call(Queue.Bind(queue="grave", exchange="graves", routing_key="q"), Queue.BindOk)
    return line


async def bury(line: Line) -> None:
    """Take the next of q, and reject it for good."""
    line.send(Basic.Get(queue="q"))
    line.reject((await line.await_mail()).tag, requeue=False)


async def give_back(line: Line, queue: str) -> None:
    """Take the one message of a queue, and fail to handle it."""
    line.send(Basic.Get(queue=queue))
    line.reject((await line.await_mail()).tag, requeue=True)
    await line.finds(queue, ready=1)


def rejection_told(version: Version) -> dict[str, object]:
    """The counts of a letter that was fetched, and whose message was rejected at once."""
    match version.told_by_letters:
        case Told.NOTHING:
            return {"x-delivery-count": 0}
        case Told.REJECTION:
            return {"x-delivery-count": 1}
        case Told.FAILURES:
            return {"x-delivery-count": 1, "x-acquired-count": 1}


async def exhume(line: Line) -> Mail:
    """Take the one letter of the grave."""
    await line.finds("grave", ready=1)
    line.send(Basic.Get(queue="grave", no_ack=True))
    return await line.await_mail()


def deaths_of(letter: Mail) -> list[Any]:
    deaths = letter.headers["x-death"]
    assert isinstance(deaths, list)
    return deaths


@WAYS
async def test_a_rejected_message_is_a_dead_letter(
    bench: Bench, client: Client, way: Mapping[str, str | int]
) -> None:
    bench.police("^q$", way)
    line = await with_grave(await opened(client))
    properties = Basic.Properties(message_id="m", headers={"mine": "1"}, delivery_mode=2)
    line.write("q", b"1", properties=properties)
    await line.await_method(Basic.Ack)

    await bury(line)

    letter = await exhume(line)
    assert letter.body == b"1"
    assert letter.properties.message_id == "m"
    assert isinstance(letter.method, Basic.GetOk)
    assert (letter.method.exchange, letter.method.routing_key) == ("graves", "q")
    assert letter.is_again == (bench.version.told_by_letters is not Told.NOTHING)
    await line.finds("q", ready=0, consumers=0)
    told = {"exchange": "", "queue": "q", "reason": "rejected"}
    headers = {"mine": "1", "x-death": letter.headers["x-death"]}
    headers |= {f"x-first-death-{name}": value for name, value in told.items()}
    if bench.version.tells_last_death:
        headers |= {f"x-last-death-{name}": value for name, value in told.items()}
    headers |= rejection_told(bench.version)
    assert letter.headers == headers
    [death] = deaths_of(letter)
    assert death.pop("time")
    assert death == {**told, "count": 1, "routing-keys": ["q"]}


async def test_a_nack_that_does_not_requeue_makes_dead_letters_too(
    bench: Bench, client: Client
) -> None:
    bench.police("^q$", SAFE)
    line = await with_grave(await opened(client))
    await line.publish("q", b"1", b"2", b"3")
    reader = await client.line()
    await reader.consume("q", "c")
    await reader.bodies(3)

    reader.nack(2, multiple=True, requeue=False)

    await line.finds("grave", ready=2)
    await reader.close()
    await line.finds("q", ready=1)


async def test_what_is_rejected_without_a_policy_is_gone(client: Client) -> None:
    line = await opened(client)
    await line.publish("q", b"1")

    await bury(line)
    await line.close()
    await line.open()

    await line.finds("q", ready=0, consumers=0)


@WAYS
async def test_a_message_dies_of_more_failures_than_its_limit(
    bench: Bench, client: Client, way: Mapping[str, str | int]
) -> None:
    bench.police("^q$", {**way, "delivery-limit": 2})
    line = await with_grave(await opened(client))
    await line.publish("q", b"1")
    reader = await client.line()
    await reader.prefetch(1)
    await reader.consume("q", "c")

    for _ in range(3):
        reader.reject((await reader.await_mail()).tag, requeue=True)

    letter = await exhume(line)
    [death] = deaths_of(letter)
    assert (death["reason"], death["queue"], death["count"]) == ("delivery_limit", "q", 1)
    tells = bench.version.told_by_letters is Told.FAILURES
    assert letter.headers.get("x-delivery-count", 0) == (3 if tells else 0)
    assert letter.headers.get("x-acquired-count", 0) == (3 if tells else 0)
    assert letter.is_again == tells


async def test_failures_count_in_the_next_queue_or_not(bench: Bench, client: Client) -> None:
    bench.police("^q$", SAFE)
    bench.police("^grave$", {"delivery-limit": 100})
    line = await with_grave(await opened(client))
    await line.publish("q", b"1")
    await give_back(line, "q")
    await bury(line)
    await line.finds("grave", ready=1)

    await give_back(line, "grave")

    letter = await exhume(line)
    carried = {Told.NOTHING: 0, Told.REJECTION: 0, Told.FAILURES: 2}
    assert letter.headers["x-delivery-count"] == carried[bench.version.told_by_letters] + 1


async def test_counts_that_a_client_published_are_shown_until_there_are_others(
    bench: Bench, client: Client
) -> None:
    bench.police("^q$", {"delivery-limit": 5})
    line = await opened(client)
    line.write("q", b"1", properties=Basic.Properties(headers={"x-delivery-count": 7}))
    await line.await_method(Basic.Ack)
    await line.consume("q", "c")

    for count in (7, 1, 2):
        mail = await line.await_mail()
        assert mail.headers["x-delivery-count"] == count
        line.reject(mail.tag, requeue=True)


async def test_nacks_count_towards_the_limit_or_not(bench: Bench, client: Client) -> None:
    bench.police("^q$", {**SAFE, "delivery-limit": 2})
    line = await with_grave(await opened(client))
    await line.publish("q", b"1")
    reader = await client.line()
    await reader.prefetch(1)
    await reader.consume("q", "c")

    for _ in range(3):
        reader.nack((await reader.await_mail()).tag)

    if bench.version.counts_nacks:
        await exhume(line)
    else:
        await reader.await_mail()


async def test_a_lost_channel_counts_towards_the_limit(bench: Bench, client: Client) -> None:
    bench.police("^q$", {**SAFE, "delivery-limit": 2})
    line = await with_grave(await opened(client))
    await line.publish("q", b"1")

    for _ in range(3):
        reader = await client.line()
        await reader.consume("q", "c")
        await reader.await_mail()
        await reader.close()

    await exhume(line)


async def test_a_queue_without_a_policy_has_its_versions_limit(
    bench: Bench, client: Client
) -> None:
    line = await opened(client)
    await line.publish("q", b"1")
    reader = await client.line()
    await reader.prefetch(1)
    await reader.consume("q", "c")

    for _ in range(21):
        reader.reject((await reader.await_mail()).tag, requeue=True)

    if bench.version.delivery_limit is None:
        await reader.await_mail()
    else:
        await reader.close()
        await line.finds("q", ready=0, consumers=0)


async def test_a_dead_letter_that_dies_again_tells_of_both_deaths(
    bench: Bench, client: Client
) -> None:
    bench.police("^q$", SAFE)
    bench.police("^grave$", {**SAFE, "dead-letter-routing-key": "second"})
    line = await with_grave(await opened(client))
    await line.declare("second")
    await line.call(
        Queue.Bind(queue="second", exchange="graves", routing_key="second"), Queue.BindOk
    )
    await line.publish("q", b"1")
    await bury(line)
    await line.finds("grave", ready=1)

    line.send(Basic.Get(queue="grave"))
    line.reject((await line.await_mail()).tag, requeue=False)

    await line.finds("second", ready=1)
    line.send(Basic.Get(queue="second", no_ack=True))
    letter = await line.await_mail()
    assert [(each["queue"], each["exchange"]) for each in deaths_of(letter)] == [
        ("grave", "graves"),
        ("q", ""),
    ]
    assert letter.headers["x-first-death-queue"] == "q"
    assert letter.headers.get("x-last-death-queue", "grave") == "grave"


async def test_a_client_that_publishes_a_dead_letter_again_is_believed_or_not(
    bench: Bench, client: Client
) -> None:
    bench.police("^q$", SAFE)
    line = await with_grave(await opened(client))
    await line.publish("q", b"1")
    await bury(line)
    letter = await exhume(line)

    line.write("q", letter.body, properties=letter.properties)
    await line.await_method(Basic.Ack)
    await bury(line)

    [death] = deaths_of(await exhume(line))
    assert death["count"] == (2 if bench.version.trusts_deaths else 1)


async def test_a_dead_letter_without_a_way_stays_or_is_gone(bench: Bench, client: Client) -> None:
    """Dead letters that stay are neither ready nor delivered, but count towards the length."""
    bench.police("^q$", {**SAFE, "max-length": 2})
    line = await opened(client)
    for _ in range(3):
        await line.publish("q", b"1")
        await bury(line)
    await line.finds("q", ready=0)

    line.write("q", b"2")

    assert isinstance(await line.next(), Basic.Nack)


async def test_a_full_grave_takes_no_letters_that_can_wait(bench: Bench, client: Client) -> None:
    bench.police("^q$", SAFE)
    bench.police("^grave$", {"max-length": 1, "overflow": "reject-publish"})
    line = await with_grave(await opened(client))

    # One after the other: what is on its way when the grave gets full is still taken.
    for in_grave in (1, 2, 2, 2):
        await line.publish("q", b"1")
        await bury(line)
        await line.finds("grave", ready=in_grave)

    await line.finds("q", ready=0)


async def test_a_full_grave_takes_all_letters_that_cannot_wait(
    bench: Bench, client: Client
) -> None:
    bench.police("^q$", ONCE)
    bench.police("^grave$", {"max-length": 1, "overflow": "reject-publish"})
    line = await with_grave(await opened(client))

    for _ in range(4):
        await line.publish("q", b"1")
        await bury(line)

    await line.finds("grave", ready=4)

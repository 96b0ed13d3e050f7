import json
from datetime import UTC, datetime, timedelta

from tests.e2e.client import MAIL, PREFIX, Service
from tests.e2e.production import Production
from tests.patience import AT_ALL_S
from tests.servers.processes import wait_until

SWEEP_S = 25
DEAD = "email_notifications.dead"


def fail(deployed: Production, service: Service, count: int) -> list[str]:
    """Send mails that the server refuses for good, and then takes; returns their ids."""
    deployed.outside.smtp.answer("RCPT", "550 5.2.2 the mailbox is full", times=count)
    ids = [service.send(MAIL) for _ in range(count)]
    for id in ids:
        assert service.await_status(id)["status"] == "failed"
    deployed.outside.await_dead_letters_agree(timeout_s=AT_ALL_S)
    return ids


def events(service: Service, id: str) -> list[str]:
    """The names of the events of a notification."""
    return [each["event"] for each in service.status(id)["history"]]


def test_what_a_provider_refuses_for_good_fails_and_is_replayed_by_the_api(
    deployed: Production, service: Service
) -> None:
    kept, replayed = fail(deployed, service, 2)
    letters = deployed.outside.dead_letters()
    failed = service.status(replayed)
    answer = service.post(f"{PREFIX}/{replayed}/replay")
    sent = service.await_status(replayed, {"sent"})
    deployed.outside.await_dead_letters_agree(timeout_s=SWEEP_S)

    assert letters[DEAD] >= 2
    assert (failed["error"]["kind"], failed["error"]["code"]) == ("permanent", "550 5.2.2")
    assert answer.status_code == 202
    assert [each["event"] for each in sent["history"]] == [
        "accept", "claim", "fail", "replay", "claim", "succeed",
    ]  # fmt: skip
    assert service.status(kept)["status"] == "failed"
    assert deployed.outside.mailed() == [replayed]


def test_the_command_lists_and_replays_one_or_all(deployed: Production, service: Service) -> None:
    one, *others = fail(deployed, service, 4)
    listed = deployed.run("dead-letters", "list", "--type", "email")
    first = deployed.run("dead-letters", "replay", one)
    service.await_status(one, {"sent"})
    rest = deployed.run("dead-letters", "replay", "--all")
    for id in others:
        service.await_status(id, {"sent"})
    deployed.outside.await_dead_letters_agree(timeout_s=SWEEP_S)

    words = listed.split()
    assert {one, *others} <= set(words)
    assert first == "Replayed 1 of 1.\n"
    assert rest.startswith("Replayed ")
    assert {one, *others} <= set(deployed.outside.mailed())
    assert not deployed.outside.dead_letters()


def test_moving_letters_back_in_the_management_page_replays_them(
    deployed: Production, service: Service
) -> None:
    ids = fail(deployed, service, 3)
    deployed.outside.move(DEAD, "email_notifications")
    for id in ids:
        service.await_status(id, {"sent"})
    deployed.outside.await_dead_letters_agree(timeout_s=SWEEP_S)

    assert events(service, ids[0]) == ["accept", "claim", "fail", "replay", "claim", "succeed"]
    assert sorted(ids) == sorted(id for id in deployed.outside.mailed() if id in ids)


def test_the_letter_of_somebody_erased_comes_back_and_is_told_of(deployed: Production) -> None:
    service = deployed.service("erasing", "recipients")
    (id,) = fail(deployed, service, 1)
    also = [{"type": "email", "address": MAIL["recipient"]}]
    service.post("/api/v1/recipients/u-7/erase", {"reason": "asked", "also_addresses": also})
    wait_until(
        lambda: service.show(id)["recipient"].startswith("erased:"),
        timeout_s=AT_ALL_S,
        what="an erased recipient",
    )

    deployed.outside.move(DEAD, "email_notifications")
    deployed.workers.line(rf'(?=.*{id}).*"delivery.erased"')
    deployed.outside.await_dead_letters_agree(timeout_s=SWEEP_S)

    assert deployed.outside.dead_letters()[DEAD] >= 1
    assert events(service, id) == ["accept", "claim", "fail"]
    assert deployed.outside.mailed() == []


def test_what_cannot_be_parsed_goes_to_the_dead_queue_and_nothing_dies(
    deployed: Production, service: Service
) -> None:
    junk = [b"not json", b'{"v":99}', json.dumps({"v": 1, "id": "canary"}).encode(), b"\xff"]
    before = deployed.outside.dead_letters()[DEAD]
    with deployed.outside.witness() as witness:
        for body in junk:
            witness.put("email_notifications", body)
        wait_until(
            lambda: witness.ready(DEAD) == before + len(junk),
            timeout_s=AT_ALL_S,
            what="dead letters",
        )
        after = service.await_status(service.send(MAIL))
        found = witness.take(DEAD)
        for letter in found:
            if letter.body not in junk:
                witness.put(DEAD, letter.body, letter.properties.headers)

    assert after["status"] == "sent"
    assert sorted(junk) == sorted(letter.body for letter in found if letter.body in junk)
    assert "child.died" not in deployed.workers.output


def test_what_never_gets_through_in_time_expires(deployed: Production, service: Service) -> None:
    deployed.outside.smtp.answer("RCPT", "451 4.3.0 try later", recipient="late@example.com")
    expires_at = datetime.now(UTC) + timedelta(seconds=2)
    id = service.send(MAIL, recipient="late@example.com", expires_at=expires_at.isoformat())

    expired = service.await_status(id)

    assert expired["status"] == "expired"
    assert expired["attempts"] >= 1
    # The end of its time cuts off the attempt that it finds under way.
    assert expired["error"]["kind"] in {"transient", "unknown"}


def test_what_is_cancelled_in_time_is_not_sent(deployed: Production, service: Service) -> None:
    send_at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    cancelled, witness = (service.send(MAIL, send_at=send_at) for _ in range(2))
    answer = service.post(f"{PREFIX}/{cancelled}/cancel")
    service.await_status(witness)

    assert answer.status_code == 200
    assert service.status(cancelled)["status"] == "cancelled"
    assert deployed.outside.mailed() == [witness]


def test_a_high_notification_overtakes_a_bulk_backlog(
    deployed: Production, service: Service
) -> None:
    deployed.outside.smtp.delay("DATA", 0.3)
    bulk = service.send_batch([{**MAIL, "priority": "bulk"}] * 320)
    service.await_status(bulk[0], {"sent"})
    high = service.send(MAIL, priority="high")
    service.await_settled(len(bulk) + 1)

    mailed = deployed.outside.mailed()
    assert mailed.index(high) < 160

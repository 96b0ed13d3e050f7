"""The operator's commands on a real broker."""

from collections import Counter

import pytest

from notifier.errors import QueueUnavailableError, TopologyError
from notifier.notification.model import Channel
from notifier.queue import topology
from notifier.queue.rabbitmq.topology import (
    State,
    TopologyReport,
    apply_topology,
    check_topology,
    cluster,
    dead_queue_depths,
    policies_lacking,
)
from tests.servers.rabbitmq import RabbitMq, vhost_of
from tests.witness import witness_of

NOWHERE = "http://127.0.0.1:9"


def counted(report: TopologyReport) -> Counter[tuple[str, State]]:
    return Counter((item.kind, item.state) for item in report.items)


def test_applying_makes_what_is_missing_and_then_finds_it(
    rabbitmq: RabbitMq, amqp_url: str
) -> None:
    first = apply_topology(amqp_url, rabbitmq.management_url)
    second = apply_topology(amqp_url, rabbitmq.management_url)

    made, found = State.MADE, State.FOUND
    assert counted(first) == {("exchange", made): 2, ("queue", made): 12, ("policy", made): 2}
    assert counted(second) == {("exchange", found): 2, ("queue", found): 12, ("policy", found): 2}
    assert second.is_complete


def test_the_members_of_queues_that_were_just_made_are_known(
    rabbitmq: RabbitMq, amqp_url: str
) -> None:
    apply_topology(amqp_url, rabbitmq.management_url)

    found = cluster(amqp_url, rabbitmq.management_url)

    assert {queue.name for queue in found.queues} == topology.QUEUES.keys()
    assert {queue.leader for queue in found.queues} == found.running
    assert {tuple(queue.members) for queue in found.queues} == {tuple(found.running)}
    assert not found.has_several_nodes


def test_a_changed_policy_is_put_right(rabbitmq: RabbitMq, amqp_url: str) -> None:
    apply_topology(amqp_url, rabbitmq.management_url)
    body = {"pattern": "^x$", "definition": {"max-length": 1}, "priority": 1, "apply-to": "all"}
    rabbitmq.management.call("PUT", "policies", vhost_of(amqp_url), "notifier-work", body=body)

    report = apply_topology(amqp_url, rabbitmq.management_url)

    states = {item.name: item.state for item in report.items if item.kind == "policy"}
    assert states == {"notifier-work": State.MADE, "notifier-dead": State.FOUND}


def test_the_policies_of_an_older_version_are_in_effect_and_could_be_better(
    rabbitmq: RabbitMq, amqp_url: str
) -> None:
    apply_topology(amqp_url, rabbitmq.management_url)
    for policy in ("notifier-work", "notifier-dead"):
        path = ("policies", vhost_of(amqp_url), policy)
        body = rabbitmq.management.call("GET", *path)
        del body["definition"]["queue-leader-locator"]
        rabbitmq.management.call("PUT", *path, body=body)

    older = check_topology(amqp_url, rabbitmq.management_url)
    alarms = policies_lacking(amqp_url, rabbitmq.management_url)
    applied = apply_topology(amqp_url, rabbitmq.management_url)

    details = {item.detail for item in older.items if item.kind == "policy"}
    assert details == {"better with queue-leader-locator; run: notifier topology apply"}
    assert older.is_complete
    assert alarms == []
    assert counted(applied)["policy", State.MADE] == 2


def test_the_check_finds_everything_in_effect(rabbitmq: RabbitMq, amqp_url: str) -> None:
    apply_topology(amqp_url, rabbitmq.management_url)

    report = check_topology(amqp_url, rabbitmq.management_url)

    assert report.is_complete
    assert counted(report) == {
        ("exchange", State.FOUND): 2,
        ("queue", State.FOUND): 12,
        ("policy", State.FOUND): 12,
    }


def test_the_broker_agrees_which_policies_are_in_effect(rabbitmq: RabbitMq, amqp_url: str) -> None:
    apply_topology(amqp_url, rabbitmq.management_url)
    lines = rabbitmq.ctl(
        "list_queues", "-q", "-p", vhost_of(amqp_url), "--no-table-headers", "name", "policy"
    )

    found = dict(line.split("\t") for line in lines.splitlines() if "\t" in line)

    assert found.pop("email_notifications.dead") == "notifier-dead"
    assert found["email_notifications.high"] == "notifier-work"
    assert len(found) == 11


def test_the_check_tells_of_a_policy_that_takes_the_place_of_ours(
    rabbitmq: RabbitMq, amqp_url: str
) -> None:
    body = {
        "pattern": "^sms_notifications$",
        "definition": {"max-length": 5},
        "priority": 50,
        "apply-to": "queues",
    }
    rabbitmq.management.call("PUT", "policies", vhost_of(amqp_url), "rival", body=body)
    apply_topology(amqp_url, rabbitmq.management_url)

    items = check_topology(amqp_url, rabbitmq.management_url).items

    [failure] = [item for item in items if item.state is State.FAILED]
    assert failure.name == "notifier-work on sms_notifications"
    assert "rival" in (failure.detail or "")
    assert "dead-letter-exchange" in (failure.detail or "")


def test_the_check_names_what_is_missing(rabbitmq: RabbitMq, amqp_url: str) -> None:
    report = check_topology(amqp_url, rabbitmq.management_url)

    assert not report.is_complete
    assert all(item.detail for item in report.items)
    assert "email_notifications" in {item.name for item in report.items}


def test_without_a_management_api_the_policies_are_told_as_commands(amqp_url: str) -> None:
    report = apply_topology(amqp_url, NOWHERE)

    failed = {item.name: item.detail or "" for item in report.items if item.state is State.FAILED}
    assert set(failed) == {"notifier-work", "notifier-dead", "of all queues"}
    assert failed["of all queues"].startswith("not seen: no management API at")
    assert "rabbitmqctl set_policy" in failed["notifier-work"]
    assert '"dead-letter-exchange": "notifications.dead"' in failed["notifier-work"]
    assert not report.is_complete


def test_a_refused_password_is_a_failed_policy(rabbitmq: RabbitMq, amqp_url: str) -> None:
    at = rabbitmq.management_url.replace("http://", "http://nobody:wrong@")

    report = apply_topology(amqp_url, at)

    details = [item.detail or "" for item in report.items if item.state is State.FAILED]
    assert len(details) == 3
    assert all("401" in detail and "wrong" not in detail for detail in details)


def test_a_queue_with_other_arguments_is_named_with_what_to_do(
    rabbitmq: RabbitMq, amqp_url: str
) -> None:
    with witness_of(amqp_url) as witness:
        witness.declare("sms_notifications.high")

    with pytest.raises(TopologyError, match=r"sms_notifications\.high.*delete it"):
        apply_topology(amqp_url, rabbitmq.management_url)


@pytest.mark.parametrize("url", ["amqp://guest:guest@127.0.0.1:9/", "amqp://x:y@127.0.0.1:9/v"])
def test_a_broker_that_is_away_is_told_without_its_password(url: str) -> None:
    for command in (apply_topology, check_topology, dead_queue_depths):
        with pytest.raises(QueueUnavailableError, match=r"127\.0\.0\.1:9") as raised:
            command(url)
        assert "guest:" not in str(raised.value)


def test_dead_letters_are_counted_by_channel(rabbitmq: RabbitMq, amqp_url: str) -> None:
    apply_topology(amqp_url, rabbitmq.management_url)
    with witness_of(amqp_url) as witness:
        witness.put("sms_notifications.dead", b"1")
        witness.put("sms_notifications.dead", b"2")
        witness.delete("in_app_notifications.dead")

    assert dead_queue_depths(amqp_url) == {Channel.EMAIL: 0, Channel.SMS: 2}

import re

import pytest

from notifier.notification.model import Channel, Lane
from notifier.queue import topology


def test_the_queues_have_the_names_that_operators_know() -> None:
    assert sorted(topology.QUEUES) == sorted(
        f"{channel}_notifications{suffix}"
        for channel in ("email", "sms", "in_app")
        for suffix in ("", ".high", ".bulk", ".dead")
    )


def test_every_work_queue_is_bound_by_its_channel_and_lane() -> None:
    bindings = {spec.name: (spec.exchange, spec.routing_keys) for spec in topology.WORK_QUEUES}

    assert bindings["email_notifications"] == ("notifications", ("email.normal",))
    assert bindings["in_app_notifications.high"] == ("notifications", ("in_app.high",))
    assert len(bindings) == len(Channel) * len(Lane)


def test_every_dead_queue_is_bound_by_the_keys_and_names_of_its_work_queues() -> None:
    bindings = {spec.channel: set(spec.routing_keys) for spec in topology.DEAD_QUEUES}

    assert bindings[Channel.SMS] == {
        "sms.high",
        "sms.normal",
        "sms.bulk",
        "sms_notifications.high",
        "sms_notifications",
        "sms_notifications.bulk",
    }
    assert {spec.exchange for spec in topology.DEAD_QUEUES} == {"notifications.dead"}
    assert {spec.lane for spec in topology.DEAD_QUEUES} == {None}


def test_the_only_argument_is_the_queue_type() -> None:
    assert dict(topology.QUEUE_ARGUMENTS) == {"x-queue-type": "quorum"}


def test_every_queue_is_matched_by_exactly_its_policy() -> None:
    work, dead = topology.POLICIES

    for name, spec in topology.QUEUES.items():
        assert bool(re.search(work.pattern, name)) == (spec.lane is not None)
        assert bool(re.search(dead.pattern, name)) == (spec.lane is None)


def test_one_pattern_matches_every_queue_and_those_alone() -> None:
    assert all(re.search(topology.QUEUE_PATTERN, name) for name in topology.QUEUES)
    assert not re.search(topology.QUEUE_PATTERN, "email_notifications.dead2")


@pytest.mark.parametrize("name", ["orders", "my_email_notifications", "email_notifications.dead2"])
def test_no_policy_touches_queues_of_others(name: str) -> None:
    assert not any(re.search(policy.pattern, name) for policy in topology.POLICIES)


def test_a_dead_letter_goes_at_least_once_and_a_full_queue_refuses() -> None:
    work, dead = topology.POLICIES

    assert work.definition["dead-letter-exchange"] == "notifications.dead"
    assert work.definition["dead-letter-strategy"] == "at-least-once"
    assert work.definition["delivery-limit"] == 20
    assert {policy.definition["overflow"] for policy in (work, dead)} == {"reject-publish"}
    assert {policy.apply_to for policy in (work, dead)} == {"queues"}


def test_the_leaders_of_the_queues_are_spread_over_the_nodes() -> None:
    wishes = [dict(policy.preferences) for policy in topology.POLICIES]

    assert wishes == [{"queue-leader-locator": "balanced"}] * 2


@pytest.mark.parametrize(
    ("key", "lane"),
    [
        ("email.high", Lane.HIGH),
        ("sms_notifications.bulk", Lane.BULK),
        ("in_app_notifications", Lane.NORMAL),
        ("email_notifications.dead", Lane.NORMAL),
        ("anything", Lane.NORMAL),
    ],
)
def test_a_lane_is_read_from_a_key_or_a_queue_name(key: str, lane: Lane) -> None:
    assert topology.lane_of(key) is lane

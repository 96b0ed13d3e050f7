"""What lies in the dead queues, by channel."""

import json
from collections.abc import Collection, Mapping, Sequence

from notifier.notification.model import Channel
from notifier.queue.topology import dead_queue
from tests.witness import witness_of
from tools.chaos.report import DeadLetters


def count_letters(amqp_url: str) -> dict[str, int]:
    """How many letters there are."""
    with witness_of(amqp_url) as witness:
        return {channel.value: witness.ready(dead_queue(channel)) for channel in Channel}


def take_letters(amqp_url: str) -> dict[str, list[str]]:
    """Take all letters out: the notifications that they name."""
    with witness_of(amqp_url) as witness:
        return {
            channel.value: [
                str(json.loads(letter.body)["id"]) for letter in witness.take(dead_queue(channel))
            ]
            for channel in Channel
        }


def sorted_letters(
    taken: Mapping[str, Sequence[str]], known: Collection[str], failed: Mapping[str, int]
) -> DeadLetters:
    """Tell letters of what the database does not know from the others."""
    letters = {channel: sum(id in known for id in ids) for channel, ids in taken.items()}
    unknown = sum(map(len, taken.values())) - sum(letters.values())
    return DeadLetters(letters=letters, failed=failed, unknown=unknown)

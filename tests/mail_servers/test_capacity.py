import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import pytest

from tests.mail_servers.load import Load, send
from tests.servers.mail_servers import MailServer, private_exim, private_postfix
from tests.servers.needed import needed

MAILS = 300
Start = Callable[[], AbstractContextManager[MailServer]]

# What they bear at once: Postfix 50 of a client, or 12 where somebody set that; Exim 20 of all.
SERVERS: dict[str, Start] = {
    "Postfix, 50": private_postfix,
    "Postfix, 12": partial(private_postfix, connections_a_client=12),
    "Exim, 20": private_exim,
}


def loaded(start: Start, *, slots: int, processes: int = 1) -> Load:
    """Send, and see that every mail was delivered once and no call was made in vain."""
    with needed(), start() as server:
        load = asyncio.run(send(server, mails=MAILS, slots=slots, processes=processes))
        message_ids = server.delivered(timeout_s=120)
    assert not load.others
    assert len(message_ids) == len(set(message_ids)) == MAILS
    return load


@pytest.mark.parametrize("start", SERVERS.values(), ids=SERVERS)
def test_more_slots_than_a_server_bears_connections_cost_neither_attempts_nor_time(
    start: Start,
) -> None:
    few = loaded(start, slots=16)

    # Turned away, a mail used to wait for its time-out or for a pause of its provider.
    for slots in (64, 96):
        assert loaded(start, slots=slots).took_s < 3 * few.took_s + 10


@pytest.mark.parametrize("start", SERVERS.values(), ids=SERVERS)
def test_two_processes_that_share_a_server_both_get_through(start: Start) -> None:
    load = loaded(start, slots=32, processes=2)

    assert min(len(outcomes) for outcomes in load.outcomes) >= MAILS / 10

"""Row 3: the API dies between its commit and the publishing."""

import asyncio
import signal

import httpx2

from notifier.access import keys
from tests.api import MAIL, PREFIX
from tests.e2e.processes import NOTIFIER, Running, running
from tests.faults.brokers import Ledger, Node, accepted, open_node, ready
from tests.gateway import gateway_to
from tests.patience import AT_ALL_S
from tests.schema import postgres_database
from tests.servers.postgres import Postgres

PEPPER = "a pepper for the length of a test"
POSTS = 40


async def test_what_a_killed_api_accepted_and_did_not_publish_is_sent_once(
    postgres: Postgres, amqp_url: str
) -> None:
    ledger = Ledger()
    with postgres_database(postgres) as url:
        async with gateway_to(amqp_url) as gateway, open_node(url, amqp_url) as node:
            environ = {
                "NOTIFIER_DATABASE_URL": url.replace("+asyncpg", ""),
                "NOTIFIER_BROKER_URL": gateway.url,
                "NOTIFIER_KEY_PEPPER": PEPPER,
                "NOTIFIER_PORT": "0",
                "NOTIFIER_EMAIL__PROVIDERS": "sandbox",
                "NOTIFIER_SMS__PROVIDERS": "none",
            }
            with running([*NOTIFIER, "serve"], environ) as api:
                headers = {"Authorization": f"Bearer {await a_key(node)}"}
                at = await asyncio.to_thread(url_of, api)
                gateway.freeze()
                async with httpx2.AsyncClient(
                    base_url=at, headers=headers, timeout=AT_ALL_S
                ) as client:
                    posts = [until_accepted(client, f"key-{nth}") for nth in range(POSTS)]
                    ids = accepted(await asyncio.gather(*posts))
                    api.send(signal.SIGKILL)
                assert await asyncio.to_thread(api.ends) == -signal.SIGKILL
            # What it had written to the broker ends with the link.
            gateway.cut()
            gateway.thaw()

            assert await node.statuses() == {"pending": POSTS}
            published = await asyncio.to_thread(ready, amqp_url)
            async with node.workers(ledger), node.relaying():
                await node.await_statuses(sent=POSTS)

    assert published == 0
    assert ledger.handed_over == dict.fromkeys(ids, 1)


async def a_key(node: Node) -> str:
    key = keys.mint()
    await node.stores.keys.add(
        id=key.id,
        service="orders",
        scopes=("send",),
        digest=key.digest(PEPPER.encode()),
        expires_at=None,
    )
    return key.text


async def until_accepted(client: httpx2.AsyncClient, key: str) -> httpx2.Response:
    """Post one mail; a machine that stands still meanwhile is a database that does not answer."""
    while True:
        headers = {"Idempotency-Key": key}
        answer = await client.post(f"{PREFIX}/send", json=MAIL, headers=headers)
        if answer.status_code not in (409, 503):
            return answer


def url_of(api: Running) -> str:
    return api.line(r'"url":"([^"]+)"')[1]

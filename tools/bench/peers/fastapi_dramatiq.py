"""FastAPI and Dramatiq (pika), psycopg and smtplib: the leaner task queue.

After https://dramatiq.io (User guide: RabbitMQ broker, enqueue reliability; Reference) and
https://fastapi.tiangolo.com: an endpoint that blocks is an ordinary function, which runs in one
of 40 threads.

Knobs: `confirm_delivery` on; Dramatiq has no setting for quorum queues, so the broker adds the
argument; messages are persistent and acknowledged after the work, which is how Dramatiq does it;
`dramatiq_queue_prefetch` as many as threads, one message for each (else it is twice as many).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dramatiq
from blocking import deliver, insert, pool
from common import BROKER_URL, QUEUE, NotificationRequest
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from fastapi import FastAPI


class QuorumBroker(RabbitmqBroker):
    """Declares its queues as quorum queues."""

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return super()._build_queue_arguments(queue_name) | {"x-queue-type": "quorum"}


class Connecting(dramatiq.Middleware):
    """Connects, in each process of the workers."""

    def before_worker_boot(self, _broker: dramatiq.Broker, _worker: dramatiq.Worker) -> None:
        """Connect."""
        pool.open()


broker = QuorumBroker(url=BROKER_URL, confirm_delivery=True)
broker.add_middleware(Connecting())
dramatiq.set_broker(broker)
actor = dramatiq.actor(queue_name=QUEUE)(deliver)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Connect, in the API."""
    with pool:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
def healthz() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}


@app.post("/notifications", status_code=202)
def send(request: NotificationRequest) -> dict[str, str]:
    """Accept a notification."""
    id = str(insert(request))
    actor.send(id)
    return {"id": id, "status": "pending"}

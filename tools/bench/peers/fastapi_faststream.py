"""FastAPI, FastStream (aio-pika), asyncpg and aiosmtplib: the fastest that is usual.

After https://faststream.ag2.ai/latest/ (RabbitMQ: queues, channels, publishing; FastAPI: the
broker is started in the application's lifespan) and the documentation of asyncpg and aiosmtplib.

Knobs: uvicorn with uvloop and httptools; one asyncpg pool in each OS process, whose statements
are prepared once in each connection; publisher confirms (FastStream's default) and persistent
messages; manual acknowledgement after the work (`AckPolicy.REJECT_ON_ERROR` acknowledges when the
handler returns); as many subscribers as slots, each with a channel of prefetch 1 (one subscriber
with a prefetch of as many was as fast); SMTP connections kept between mails; logging from warnings
on, not a line for each message.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from uuid import UUID, uuid4

import aiosmtplib
import asyncpg
from common import (
    BROKER_URL,
    DATABASE_URL,
    QUEUE,
    SLOTS,
    SMTP_HOST,
    SMTP_PORT,
    NotificationRequest,
    make_mail,
)
from fastapi import FastAPI
from faststream import FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue
from pydantic import BaseModel

# Its level is the root's, WARNING: FastStream's own logger writes two lines for each message.
log = logging.getLogger(__name__)
broker = RabbitBroker(BROKER_URL, logger=log)
queue = RabbitQueue(QUEUE, queue_type=QueueType.QUORUM)


class Envelope(BaseModel):
    """What is in a message."""

    id: UUID


class Resources:
    """Opened once in each OS process."""

    pool: asyncpg.Pool
    idle: list[aiosmtplib.SMTP]


resources = Resources()


# --- the API ----------------------------------------------------------------------------------


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Connect, and declare the queue."""
    async with asyncpg.create_pool(DATABASE_URL, min_size=10, max_size=20) as resources.pool:
        await broker.connect()  # `start` would consume, too
        await broker.declare_queue(queue)
        yield
        await broker.stop()


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}


@app.post("/notifications", status_code=202)
async def send(request: NotificationRequest) -> dict[str, str]:
    """Accept a notification."""
    id = uuid4()
    await resources.pool.execute(
        "INSERT INTO notifications (id, type, recipient, subject, content, priority)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        *(id, request.type, request.recipient, request.subject, request.content, request.priority),
    )
    await broker.publish(Envelope(id=id), queue=QUEUE, persist=True)
    return {"id": str(id), "status": "pending"}


# --- the worker -------------------------------------------------------------------------------


async def deliver(envelope: Envelope) -> None:
    """Send one notification, if it is still pending."""
    row = await resources.pool.fetchrow(
        "UPDATE notifications SET status = 'processing' WHERE id = $1 AND status = 'pending'"
        " RETURNING recipient, subject, content",
        envelope.id,
    )
    if row is None:
        return
    await hand_over(make_mail(str(envelope.id), row["recipient"], row["subject"], row["content"]))
    async with resources.pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "UPDATE notifications SET status = 'sent', sent_at = clock_timestamp() WHERE id = $1",
            envelope.id,
        )
        await connection.execute(
            "INSERT INTO notification_events (notification_id, event) VALUES ($1, 'sent')",
            envelope.id,
        )


async def hand_over(mail: EmailMessage) -> None:
    """Send a mail over a kept connection, or a new one."""
    if resources.idle:
        client = resources.idle.pop()
    else:
        client = aiosmtplib.SMTP(hostname=SMTP_HOST, port=SMTP_PORT, start_tls=False)
        await client.connect()
    await client.send_message(mail)
    resources.idle.append(client)


for _ in range(SLOTS):
    broker.subscriber(queue, channel=Channel(prefetch_count=1))(deliver)


@asynccontextmanager
async def worker_lifespan() -> AsyncIterator[None]:
    """Connect."""
    resources.idle = []
    async with asyncpg.create_pool(DATABASE_URL, min_size=10, max_size=20) as resources.pool:
        yield


worker = FastStream(broker, logger=log, lifespan=worker_lifespan)

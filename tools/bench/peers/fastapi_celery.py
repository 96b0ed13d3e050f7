"""FastAPI and Celery (kombu, py-amqp), psycopg and smtplib: what most teams would build.

After https://docs.celeryq.dev (Using RabbitMQ: quorum queues; Configuration; Optimizing: prefetch
limits; Workers) and https://fastapi.tiangolo.com: an endpoint that blocks is an ordinary function,
which runs in one of 40 threads.

Knobs: `task_default_queue_type` quorum; `confirm_publish` and persistent messages (the default);
`task_acks_late` with `worker_prefetch_multiplier` 1, one message for each process; results off;
`broker_pool_limit` as many as FastAPI's threads, so that none waits for a connection; gossip,
mingle, events and remote control off, as is usual for speed; the prefork pool.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from blocking import deliver, insert, pool
from celery import Celery
from celery.signals import worker_process_init
from common import BROKER_URL, QUEUE, NotificationRequest
from fastapi import FastAPI

_THREADS = 40

celery = Celery("fastapi_celery", broker=BROKER_URL)
celery.conf.update(
    task_default_queue=QUEUE,
    task_default_queue_type="quorum",
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    worker_hijack_root_logger=False,
    broker_transport_options={"confirm_publish": True},
    broker_pool_limit=_THREADS,
)

task = celery.task(name="deliver")(deliver)


@worker_process_init.connect
def connect(**_: object) -> None:
    """Connect, in each process of the worker."""
    pool.open()


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
    task.delay(id)
    return {"id": id, "status": "pending"}

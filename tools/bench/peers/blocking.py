"""What the peers with threads and processes share: psycopg 3, its pool, and smtplib.

After the documentation of psycopg (the pool, prepared statements by themselves from the fifth
execution on) and of smtplib. A connection of the pool is held for a transaction only, never while
a mail is sent; each thread keeps its SMTP connection.
"""

import smtplib
import threading
from uuid import UUID, uuid4

from common import DATABASE_URL, SMTP_HOST, SMTP_PORT, NotificationRequest, make_mail
from psycopg_pool import ConnectionPool

_kept = threading.local()


# To be opened in each OS process, after it was forked.
pool = ConnectionPool(DATABASE_URL, min_size=1, max_size=20, open=False)


def insert(request: NotificationRequest) -> UUID:
    """Commit a pending notification."""
    id = uuid4()
    with pool.connection() as connection:
        connection.execute(
            "INSERT INTO notifications (id, type, recipient, subject, content, priority)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (
                *(id, request.type, request.recipient, request.subject),
                *(request.content, request.priority),
            ),
        )
    return id


def deliver(id: str) -> None:
    """Send one notification, if it is still pending."""
    with pool.connection() as connection:
        row = connection.execute(
            "UPDATE notifications SET status = 'processing' WHERE id = %s AND status = 'pending'"
            " RETURNING recipient, subject, content",
            (id,),
        ).fetchone()
    if row is None:
        return
    _client().send_message(make_mail(id, *row))
    with pool.connection() as connection:
        connection.execute(
            "UPDATE notifications SET status = 'sent', sent_at = clock_timestamp() WHERE id = %s",
            (id,),
        )
        connection.execute(
            "INSERT INTO notification_events (notification_id, event) VALUES (%s, 'sent')", (id,)
        )


def _client() -> smtplib.SMTP:
    if not hasattr(_kept, "client"):
        _kept.client = smtplib.SMTP(SMTP_HOST, SMTP_PORT)
    client: smtplib.SMTP = _kept.client
    return client

"""By hand, plain: each notification makes its round trips for itself. See by_hand.py."""

from uuid import UUID, uuid4

from by_hand import application, hand_over, publish, resources, work
from common import NotificationRequest

INSERT = """
    INSERT INTO notifications (id, type, recipient, subject, content, priority)
    VALUES ($1, $2, $3, $4, $5, $6)
"""
CLAIM = """
    UPDATE notifications SET status = 'processing' WHERE id = $1 AND status = 'pending'
    RETURNING recipient, subject, content
"""
FINISH = """
    WITH sent AS (
        UPDATE notifications SET status = 'sent', sent_at = clock_timestamp()
        WHERE id = $1 AND status = 'processing' RETURNING id
    )
    INSERT INTO notification_events (notification_id, event) SELECT id, 'sent' FROM sent
"""


async def accept(asked: NotificationRequest) -> UUID:
    """Commit it, then publish it."""
    id = uuid4()
    values = (asked.type, asked.recipient, asked.subject, asked.content, asked.priority)
    await resources.pool.execute(INSERT, id, *values)
    await publish(id)
    return id


async def deliver(id: UUID) -> None:
    """Send it, if it is still pending."""
    row = await resources.pool.fetchrow(CLAIM, id)
    if row is None:
        return
    await hand_over(id, *row)
    await resources.pool.execute(FINISH, id)


app = application(accept)

if __name__ == "__main__":
    work(deliver)

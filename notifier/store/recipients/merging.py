"""Two who turned out to be one person: what one had is the other's, and so are the ids."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Text, and_, select, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.choice_change import ChoiceChange, Source
from notifier.audience.choices import ANY
from notifier.audience.person import NobodyToMerge, Person, joined_profile
from notifier.idempotency import NotFound
from notifier.notification.model import Status
from notifier.store import caps
from notifier.store.choices import hand_over, note
from notifier.store.inbox.moving import move_items
from notifier.store.kit.sql import literal_text, parameter
from notifier.store.notification.tables import notifications
from notifier.store.recipients.reading import people
from notifier.store.recipients.tables import recipient_aliases, recipients
from notifier.store.recipients.writing import hold, put, remove
from notifier.store.topics import topic_members

_r, _l, _m, _n = recipients.c, recipient_aliases.c, topic_members.c, notifications.c
_service, _source, _target = (parameter(name) for name in ("of_service", "source", "target"))
_IN_FORCE: Final = (literal_text(Status.PENDING), literal_text(Status.PROCESSING))

_MOVE_MEMBERSHIPS = (
    insert(topic_members)
    .from_select(
        ["service", "topic", "user_id", "properties"],
        select(_m.service, _m.topic, _target, _m.properties).where(
            _m.service == _service, _m.user_id == _source
        ),
    )
    .on_conflict_do_nothing()
)
_MOVE_NOTIFICATIONS = (
    update(notifications)
    .where(_n.service == _service, _n.user_id == _source, _n.status.in_(_IN_FORCE))
    .values(user_id=_target)
)
_MOVE_ALIASES = (
    update(recipient_aliases)
    .where(_l.service == _service, _l.user_id == _source)
    .values(user_id=_target)
)
_ADD_ALIAS = insert(recipient_aliases).from_select(
    ["service", "alias", "user_id"], select(_service, _source, _target)
)
_CHOOSE = (
    update(recipients)
    .where(and_(_r.service == _service, _r.user_id == _target))
    .values(choices=parameter("chosen", Text), quiet_hours=parameter("quiet", Text))
)


async def merge(
    connection: AsyncConnection, *, service: str, user_id: str, from_id: str
) -> Person | NotFound | NobodyToMerge:
    """Give the person of one id all that the one of another has; who is one already stays so."""
    now, there = await hold(connection, service, {user_id, from_id})
    target_id, source_id = now.get(user_id, user_id), now.get(from_id, from_id)
    if target_id not in there:
        return NotFound()
    if source_id not in there:
        return NobodyToMerge()
    if target_id != source_id:
        found = await people(connection, [(service, target_id), (service, source_id)])
        await _join(connection, found[service, target_id], found[service, source_id])
    return (await people(connection, [(service, target_id)]))[service, target_id]


async def _join(connection: AsyncConnection, target: Person, source: Person) -> None:
    service = target.service
    ids = {"of_service": service, "source": source.user_id, "target": target.user_id}
    for statement in (_MOVE_MEMBERSHIPS, _MOVE_NOTIFICATIONS, _MOVE_ALIASES):
        await connection.execute(statement, ids)
    await hand_over(connection, service, source.user_id, target.user_id)
    await caps.hand_over(connection, service, source.user_id, target.user_id)
    await remove(connection, service, source.user_id)
    await connection.execute(_ADD_ALIAS, ids)
    await put(connection, service, [joined_profile(target, source)], there=[target.user_id])
    quiet_hours = target.quiet_hours or source.quiet_hours
    chosen = {
        "chosen": target.choices.merged(source.choices).encode(),
        "quiet": quiet_hours.encode() if quiet_hours else None,
    }
    await connection.execute(_CHOOSE, {**ids, **chosen})
    await note(connection, list(_changes(target, source)) or [_only_merged(target)])
    await _join_inboxes(connection, target, source)


def _changes(target: Person, source: Person) -> Iterable[ChoiceChange]:
    """Yield what the one who stays has chosen by it: what was the other's, and off wins."""
    before = target.choices.by_place
    for each in target.choices.merged(source.choices):
        if before.get(each.place) != each.is_on:
            yield ChoiceChange(
                service=target.service,
                category=each.category,
                channel=each.channel,
                is_on=each.is_on,
                source=Source.MERGE,
                user_id=target.user_id,
            )


def _only_merged(target: Person) -> ChoiceChange:
    """Return what is noted where nothing that was chosen came by it: that they are one."""
    return ChoiceChange(
        service=target.service,
        category=ANY,
        channel=ANY,
        is_on=None,
        source=Source.MERGE,
        user_id=target.user_id,
    )


async def _join_inboxes(connection: AsyncConnection, target: Person, source: Person) -> None:
    """Bring inboxes that were called by a user id to where the person's inbox is now."""
    asked = (target.service, target.user_id)
    inbox = (await people(connection, [asked]))[asked].inbox
    for each in (target, source):
        if each.inbox == each.user_id != inbox:
            await move_items(connection, target.service, each.inbox, inbox)

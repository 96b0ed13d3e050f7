"""What the directory, inboxes, topics, lists, the sandbox and what sends hold of somebody."""

import json
from collections.abc import Sequence

from sqlalchemy import and_, delete, func, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.erasure import SUPPRESSIONS_KEPT
from notifier.audience.pseudonym import ERASED
from notifier.notification.model import Channel
from notifier.store.broadcasts.tables import broadcasts
from notifier.store.caps import cap_uses
from notifier.store.captures import captures
from notifier.store.choices import choice_changes
from notifier.store.erasing.work import Found, Holder, Work, counted
from notifier.store.events.tables import digest_items, digests, event_matches, events, throttles
from notifier.store.inbox.tables import inbox_items, inboxes
from notifier.store.notification.tables import suppressions
from notifier.store.receipts import lifted
from notifier.store.recipients.tables import recipient_addresses, recipient_aliases
from notifier.store.recipients.writing import current_ids, lock, remove
from notifier.store.schedules.tables import schedule_runs as runs
from notifier.store.schedules.tables import schedules
from notifier.store.topics import topic_members

_s = suppressions.c


async def leave_directory(connection: AsyncConnection, work: Work) -> Found:
    """Remove the person, whichever of their ids is asked for; says how else they were known."""
    asked = work.subject.user_ids
    ids = asked.union((await current_ids(connection, work.service, asked)).values())
    held = await lock(connection, work.service, ids)
    if not held:
        return Found({})
    _a, _b = recipient_aliases.c, recipient_addresses.c
    aliases = select(_a.alias).where(_a.service == work.service, _a.user_id.in_(held))
    addresses = select(_b.channel, _b.address).where(
        _b.service == work.service, _b.user_id.in_(held)
    )
    earlier = (await connection.scalars(aliases)).all()
    known = (await connection.execute(addresses)).all()
    for user_id in held:
        await remove(connection, work.service, user_id)
    return Found(
        {"people": len(held), "addresses": len(known)},
        frozenset((Channel(row.channel), row.address) for row in known),
        frozenset({*held, *earlier}),
    )


async def _empty_inboxes(connection: AsyncConnection, work: Work) -> Found:
    users = [address for channel, address in work.subject.addresses if channel is Channel.IN_APP]
    is_theirs = and_(inboxes.c.service == work.service, inboxes.c.recipient.in_(users))
    whose = select(inboxes.c.recipient).where(is_theirs).order_by(inboxes.c.recipient)
    found = (await connection.scalars(whose.with_for_update())).all()
    if not found:
        return Found({})
    key = (inbox_items.c.service, inbox_items.c.recipient, inbox_items.c.seq)
    some = select(*key).where(key[0] == work.service, key[1].in_(found)).limit(work.at_once)
    gone = await connection.execute(delete(inbox_items).where(tuple_(*key).in_(some)))
    if gone.rowcount:
        return Found({"inbox_items": gone.rowcount})
    emptied = await connection.execute(delete(inboxes).where(is_theirs))
    return Found({"inboxes": emptied.rowcount})


async def _leave_topics(connection: AsyncConnection, work: Work) -> Found:
    _m = topic_members.c
    gone = delete(topic_members).where(
        _m.service == work.service, _m.user_id.in_(work.subject.user_ids)
    )
    return counted("topics", (await connection.execute(gone)).rowcount)


async def _leave_caps(connection: AsyncConnection, work: Work) -> Found:
    _u = cap_uses.c
    gone = delete(cap_uses).where(_u.service == work.service, _u.user_id.in_(work.subject.user_ids))
    return counted("caps", (await connection.execute(gone)).rowcount)


async def _rename_changes(connection: AsyncConnection, work: Work) -> Found:
    """Let a hash stand for whose choice it was: that it was made is still to be shown."""
    _c = choice_changes.c
    of_service = _c.service == work.service
    count = 0
    for user_id in sorted(work.subject.user_ids):
        named = update(choice_changes).where(of_service, _c.user_id == user_id)
        renamed = named.values(user_id=work.pseudonym(Channel.IN_APP, user_id))
        count += (await connection.execute(renamed)).rowcount
    for channel, address in sorted(work.subject.addresses):
        at = update(choice_changes).where(of_service, _c.recipient == address)
        renamed = at.values(recipient=work.pseudonym(channel, address))
        count += (await connection.execute(renamed)).rowcount
    return counted("choice_changes", count)


async def _keep_unwilling(connection: AsyncConnection, work: Work) -> Found:
    """Keep that they are not sent to without where, or forget it if that was asked for."""
    addresses = [
        (channel, each)
        for channel, address in sorted(work.subject.addresses)
        for each in (address, work.pseudonym(channel, address))
    ]
    pairs = [(str(channel), address) for channel, address in addresses]
    is_theirs = and_(
        _s.service == work.service,
        _s.recipient.in_([address for _, address in pairs]),
        tuple_(_s.channel, _s.recipient).in_(pairs),
    )
    is_hashed = _s.recipient.startswith(ERASED)
    stays = literal(value=False) if work.forget_suppression else is_hashed
    rows = (
        await connection.execute(delete(suppressions).where(is_theirs, ~stays).returning(*_s))
    ).all()
    if work.forget_suppression:
        return counted("suppressions", len(rows))
    for row in rows:
        pseudonym = work.pseudonym(Channel(row.channel), row.recipient)
        kept = {"recipient": pseudonym, "recipient_as_written": None}
        new = insert(suppressions).values({**row._asdict(), **kept})
        await connection.execute(new.on_conflict_do_nothing())
    return counted(SUPPRESSIONS_KEPT, len(rows))


async def _forget_lifted(connection: AsyncConnection, work: Work) -> Found:
    gone = await lifted.forget(connection, work.service, work.subject.addresses)
    return counted("lifted", gone)


async def _leave_sandbox(connection: AsyncConnection, work: Work) -> Found:
    """Forget what a late worker captured; no index has addresses, and only a sandbox captures."""
    _c = captures.c
    written = [address for _, address in work.subject.addresses]
    gone = delete(captures).where(
        _c.service == work.service,
        or_(_c.recipient.in_(written), func.lower(_c.recipient).in_(written)),
    )
    return counted("captures", (await connection.execute(gone)).rowcount)


async def _leave_broadcasts(connection: AsyncConnection, work: Work) -> Found:
    """Have broadcasts that are over name nobody as left out, or as the last to be looked at."""
    _b = broadcasts.c
    over = and_(_b.service == work.service, _b.finished_at.is_not(None))
    user_ids = sorted(work.subject.user_ids)
    placed = update(broadcasts).where(over, _b.place.in_(user_ids)).values(place="")
    count = (await connection.execute(placed)).rowcount
    quoted = or_(*(_b.excluded.contains(json.dumps(each)) for each in user_ids))
    some = select(_b.id, _b.excluded).where(_b.service == work.service, quoted)
    for row in (await connection.execute(some.limit(work.at_once))).all():
        left = [each for each in json.loads(row.excluded) if each not in user_ids]
        change = update(broadcasts).where(_b.id == row.id).values(excluded=json.dumps(left))
        count += (await connection.execute(change)).rowcount
    return counted("broadcasts", count)


async def _leave_schedules(connection: AsyncConnection, work: Work) -> Found:
    """Remove schedules that are theirs alone, with what is known of their runs."""
    written = [address for _, address in work.subject.addresses]
    is_theirs = or_(
        schedules.c.user_id.in_(work.subject.user_ids),
        schedules.c.recipient.in_(written),
        func.lower(schedules.c.recipient).in_(written),
    )
    gone = delete(schedules).where(schedules.c.service == work.service, is_theirs)
    ids = (await connection.scalars(gone.returning(schedules.c.id))).all()
    if ids:
        await connection.execute(delete(runs).where(runs.c.schedule_id.in_(ids)))
    return counted("schedules", len(ids))


async def _leave_events(connection: AsyncConnection, work: Work) -> Found:
    """Forget what events said of which a rule made something for them, and what it made."""
    theirs = sorted({address for _, address in work.subject.addresses} | work.subject.user_ids)
    _e, _m = events.c, event_matches.c
    is_theirs = and_(_m.service == work.service, _m.person.in_(theirs), _m.person != "")
    some = select(_m.event_id, _m.nth).where(is_theirs).limit(work.at_once)
    rows = [tuple(row) for row in (await connection.execute(some)).all()]
    ids = sorted({event_id for event_id, _ in rows})
    await connection.execute(update(events).where(_e.id.in_(ids)).values(data=None, subject=None))
    await connection.execute(delete(event_matches).where(tuple_(_m.event_id, _m.nth).in_(rows)))
    return counted("events", len(ids))


async def _leave_digests(connection: AsyncConnection, work: Work) -> Found:
    theirs = sorted({address for _, address in work.subject.addresses} | work.subject.user_ids)
    _d, _t = digests.c, throttles.c
    counted_against = and_(_t.service == work.service, _t.person.in_(theirs))
    await connection.execute(delete(throttles).where(counted_against))
    is_theirs = and_(_d.service == work.service, _d.person.in_(theirs))
    ids = (await connection.scalars(select(_d.id).where(is_theirs).limit(work.at_once))).all()
    await connection.execute(delete(digest_items).where(digest_items.c.digest_id.in_(ids)))
    await connection.execute(delete(digests).where(_d.id.in_(ids)))
    return counted("digests", len(ids))


OTHERS: Sequence[Holder] = (
    _empty_inboxes,
    _leave_topics,
    _leave_caps,
    _rename_changes,
    _keep_unwilling,
    _forget_lifted,
    _leave_sandbox,
    _leave_broadcasts,
    _leave_schedules,
    _leave_events,
    _leave_digests,
)
"""Whoever else holds something, what costs least first."""

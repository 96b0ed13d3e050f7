"""Publishing versions, one or all that take something in, within somebody's transaction."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.content.encoding import checksum, encode
from notifier.content.library import BRAND, Outrun, Renewal, Renewals
from notifier.content.template import Content
from notifier.idempotency import Applied
from notifier.store.kit.sql import Now
from notifier.store.notification.attaching import Use, note_uses
from notifier.store.templates.tables import template_uses, template_versions, templates

_t, _v, _u = templates.c, template_versions.c, template_uses.c


async def renew(
    connection: AsyncConnection, service: str, used: str, cascade: Renewals
) -> Applied | Outrun:
    """Publish all that takes in `used` again; if not, the transaction is to change nothing.

    `used` is locked by whoever calls this, so that nobody takes it in meanwhile.
    """
    users = select(_u.template).where(_u.service == service, _u.used == used)
    unknown = set(await connection.scalars(users)) - set(cascade.users)
    lost = unknown | await _outrun(connection, service, cascade.renewals)
    if lost:
        return Outrun(sorted(lost))
    if cascade.renewals:
        await _publish_all(connection, service, cascade.renewals)
    return Applied()


async def _outrun(
    connection: AsyncConnection, service: str, renewals: Sequence[Renewal]
) -> set[str]:
    """Return the names of those that are not as they were seen; the others stay so."""
    names = [each.name for each in renewals]
    uses = {name for each in renewals for name in each.compiled.uses}
    used = await published_numbers(connection, service, uses)
    is_sent = and_(_t.service == service, _t.name.in_(names), ~_t.is_archived)
    rows = select(_t.name, _t.published).where(is_sent).order_by(_t.name).with_for_update()
    sent = {row.name: row.published for row in await connection.execute(rows)}
    is_theirs = and_(_v.service == service, _v.name.in_(names))
    last = select(_v.name, func.max(_v.number).label("last")).where(is_theirs).group_by(_v.name)
    numbers = {row.name: row.last for row in await connection.execute(last)}
    return {
        each.name
        for each in renewals
        if sent.get(each.name) != each.published
        or numbers.get(each.name) != each.number - 1
        or not each.compiled.uses.items() <= used.items()
    }


async def _publish_all(
    connection: AsyncConnection, service: str, renewals: Sequence[Renewal]
) -> None:
    """Make the versions of many in a few statements."""
    versions = [
        _new_version(
            service,
            each.name,
            each.compiled,
            {"id": each.id, "number": each.number, "source": encode(each.source)},
        )
        for each in renewals
    ]
    await connection.execute(insert(template_versions).values(versions))
    await _note_uses(connection, service, {each.name: each.compiled for each in renewals})
    await _keep_images(connection, {each.id: each.compiled for each in renewals})
    is_it = and_(_t.service == service, _t.name == bindparam("of_name"))
    published = update(templates).where(is_it).values(published=bindparam("as_number"))
    numbers = [{"of_name": each.name, "as_number": each.number} for each in renewals]
    await connection.execute(published, numbers)


async def published_numbers(
    connection: AsyncConnection, service: str, names: Collection[str]
) -> Mapping[str, int]:
    """Return the numbers that are published; they stay so in this transaction."""
    if not names:
        return {}
    query = (
        select(_t.name, _t.published)
        .where(_t.service == service, _t.name.in_(sorted(names)))
        .order_by(_t.name)
        .with_for_update(read=True)
    )
    return {row.name: row.published for row in await connection.execute(query)}


async def publish_version(
    connection: AsyncConnection,
    service: str,
    name: str,
    compiled: Content,
    new: Mapping[str, Any],
) -> None:
    """Make `new` the version that is sent, filled with `compiled`."""
    version = _new_version(service, name, compiled, new)
    await connection.execute(insert(template_versions).values(**version))
    await _note_uses(connection, service, {name: compiled})
    await _keep_images(connection, {new["id"]: compiled})
    published = update(templates).where(_t.service == service, _t.name == name)
    await connection.execute(published.values(published=new["number"], is_archived=False))


def _new_version(
    service: str, name: str, compiled: Content, new: Mapping[str, Any]
) -> dict[str, Any]:
    content = encode(compiled)
    its = {"content": content, "checksum": checksum(content), "created_at": Now()}
    return {"service": service, "name": name, **new, **its}


async def _note_uses(
    connection: AsyncConnection, service: str, contents: Mapping[str, Content]
) -> None:
    is_theirs = and_(_u.service == service, _u.template.in_(contents))
    await connection.execute(delete(template_uses).where(is_theirs))
    rows = [
        {"service": service, "used": used, "template": name}
        for name, each in contents.items()
        for used in (*each.uses, *((BRAND,) if each.brand else ()))
    ]
    if rows:
        await connection.execute(insert(template_uses).values(rows))


async def _keep_images(connection: AsyncConnection, versions: Mapping[UUID, Content]) -> None:
    """Note the images of versions, which are kept as long as those."""
    uses = [Use(id, image) for id, each in versions.items() for image in each.images.values()]
    await note_uses(connection, uses)

"""Templates, their drafts and their versions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.content.encoding import checksum, decode, encode
from notifier.content.library import (
    ANY_TEMPLATE,
    Archived,
    Outrun,
    Partial,
    Renewals,
    Template,
    TemplateDraft,
    TemplateFilter,
    Unpublished,
    WrittenVersion,
)
from notifier.content.template import Content, TemplateRef, TemplateVersion
from notifier.idempotency import Applied, Idempotency, KeyReused, LostRace, NotFound, Remembered
from notifier.notification.model import Channel
from notifier.store.kit.database import Database
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.json_texts import HasTrue, HasWithin
from notifier.store.kit.paging import in_order, listed, matching, newest_first
from notifier.store.kit.sql import Now, literal_text
from notifier.store.notification.attaching import use_instead
from notifier.store.templates.publishing import publish_version, published_numbers, renew
from notifier.store.templates.rows import to_draft, to_template, to_version
from notifier.store.templates.tables import (
    template_drafts,
    template_uses,
    template_versions,
    templates,
)

_MOST_TOLD = 20

_DRAFTS = UUID("6f6c1d8e-3c1f-5c55-9a3e-0b8f0c1d2e3f")
_t, _d, _v, _u = templates.c, template_drafts.c, template_versions.c, template_uses.c


class SqlTemplateStore:
    """`TemplateStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self,
        *,
        service: str | None,
        limit: int,
        after: tuple[str, str] | None,
        filter: TemplateFilter = ANY_TEMPLATE,
    ) -> Sequence[Template]:
        wanted = matching({_t.service: service, _t.is_archived: filter.is_archived})
        those = _listed().where(*wanted, *_of_drafts(filter))
        query = in_order(those, _t.service, _t.name, limit=limit, after=after)
        return await listed(self._database, query, to_template)

    async def template(self, service: str, name: str) -> Template | NotFound:
        query = _listed().where(_t.service == service, _t.name == name)
        return next(iter(await listed(self._database, query, to_template)), NotFound())

    async def draft(self, service: str, name: str) -> TemplateDraft | NotFound:
        async def work(connection: AsyncConnection) -> TemplateDraft | NotFound:
            row = (await connection.execute(_draft(service, name))).one_or_none()
            next_number = await _next_number(connection, service, name)
            return to_draft(row, next_number) if row else NotFound()

        return await self._database.read(work)

    async def save(
        self, *, service: str, name: str, content: Content, if_match: str | None
    ) -> TemplateDraft | LostRace:
        encoded = encode(content)
        values = {"content": encoded, "etag": checksum(encoded), "updated_at": Now()}

        async def work(connection: AsyncConnection) -> TemplateDraft | LostRace:
            await _lock(connection, service, name)
            held = (await connection.execute(_draft(service, name))).one_or_none()
            if if_match is not None and (held.etag if held else "") != if_match:
                await connection.rollback()
                return LostRace(held.etag if held else None)
            statement = insert(template_drafts).values(service=service, name=name, **values)
            stored = statement.on_conflict_do_update(
                index_elements=[_d.service, _d.name], set_=values
            ).returning(template_drafts)
            row = (await connection.execute(stored)).one()
            await use_instead(connection, _user(service, name), content.images.values())
            return to_draft(row, await _next_number(connection, service, name))

        return await self._database.write(work)

    async def next_number(self, service: str, name: str) -> int:
        async def work(connection: AsyncConnection) -> int:
            return await _next_number(connection, service, name)

        return await self._database.read(work)

    async def publish(
        self,
        *,
        draft: TemplateDraft,
        compiled: Content,
        id: UUID,
        cascade: Renewals | None = None,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused | LostRace | Outrun:
        service, name = draft.service, draft.name

        async def work(connection: AsyncConnection) -> Applied | LostRace | Outrun:
            used = await published_numbers(connection, service, compiled.uses)
            if used != compiled.uses:
                return LostRace(draft.etag)
            await _lock(connection, service, name)
            held = (await connection.execute(_draft(service, name))).one_or_none()
            next_number = await _next_number(connection, service, name)
            if held is None or (held.etag, next_number) != (draft.etag, draft.next_number):
                await connection.rollback()
                return LostRace(held.etag if held else None)
            new = {"id": id, "number": next_number, "source": held.content}
            await publish_version(connection, service, name, compiled, new)
            return await renew(connection, service, name, cascade) if cascade else Applied()

        return await write_once(self._database, idempotency, work)

    async def rollback(
        self,
        *,
        service: str,
        name: str,
        number: int,
        as_number: int,
        id: UUID,
        cascade: Renewals | None = None,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused | LostRace | Outrun | NotFound:
        async def work(connection: AsyncConnection) -> Applied | LostRace | Outrun | NotFound:
            earlier = (await connection.execute(_version(service, name, number))).one_or_none()
            if earlier is None:
                return NotFound()
            await _lock(connection, service, name)
            if await _next_number(connection, service, name) != as_number:
                await connection.rollback()
                return LostRace(None)
            new = {"id": id, "number": as_number, "source": earlier.source}
            await publish_version(connection, service, name, decode(earlier.content), new)
            return await renew(connection, service, name, cascade) if cascade else Applied()

        return await write_once(self._database, idempotency, work)

    async def archive(
        self, *, service: str, name: str, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused | NotFound:
        statement = (
            update(templates)
            .where(_t.service == service, _t.name == name)
            .values(is_archived=True, updated_at=Now())
            .returning(_t.name)
        )

        async def work(connection: AsyncConnection) -> Applied | NotFound:
            return Applied() if (await connection.execute(statement)).all() else NotFound()

        return await write_once(self._database, idempotency, work)

    async def versions(
        self, service: str, name: str, *, limit: int, before: int | None
    ) -> Sequence[TemplateVersion]:
        query = newest_first(_versions(service, name), _v.number, limit=limit, after=before)
        return await listed(self._database, query, to_version)

    async def written(self, service: str, name: str, number: int) -> WrittenVersion | NotFound:
        async def work(connection: AsyncConnection) -> WrittenVersion | NotFound:
            row = (await connection.execute(_version(service, name, number))).one_or_none()
            return WrittenVersion(to_version(row), decode(row.source)) if row else NotFound()

        return await self._database.read(work)

    async def find(
        self, service: str, ref: TemplateRef
    ) -> TemplateVersion | Archived | Unpublished:
        number = literal(ref.number) if ref.number is not None else _t.published
        is_its = and_(_v.service == _t.service, _v.name == _t.name, _v.number == number)
        query = (
            select(template_versions, _t.is_archived)
            .select_from(templates.outerjoin(template_versions, is_its))
            .where(_t.service == service, _t.name == ref.name)
        )

        async def work(
            connection: AsyncConnection,
        ) -> TemplateVersion | Archived | Unpublished:
            row = (await connection.execute(query)).one_or_none()
            if row is not None and row.is_archived:
                return Archived()
            if row is not None and row.id is not None:
                return to_version(row)
            if numbers := await _numbers(connection, service, ref.name):
                return Unpublished(numbers)
            return Unpublished(names=await _published_names(connection, service))

        return await self._database.read(work)

    async def partials(self, service: str, names: Sequence[str]) -> Mapping[str, Partial]:
        is_its = and_(_v.service == _t.service, _v.name == _t.name, _v.number == _t.published)
        query = (
            select(_v.name, _v.number, _v.source)
            .join_from(templates, template_versions, is_its)
            .where(_t.service == service, _t.name.in_(names), ~_t.is_archived)
        )

        async def work(connection: AsyncConnection) -> Mapping[str, Partial]:
            rows = await connection.execute(query)
            found = {row.name: Partial(row.number, decode(row.source)) for row in rows}
            return {name: each for name, each in found.items() if each.content.is_partial}

        return await self._database.read(work)

    async def users(
        self, service: str, used: str, *, limit: int, after: str | None
    ) -> Sequence[Template]:
        is_user = and_(_u.service == _t.service, _u.template == _t.name)
        users = _listed().join(template_uses, is_user).where(_u.service == service, _u.used == used)
        query = in_order(users, _t.name, limit=limit, after=None if after is None else [after])
        return await listed(self._database, query, to_template)

    async def by_id(self, id: UUID) -> TemplateVersion | None:
        query = select(template_versions).where(_v.id == id)

        async def work(connection: AsyncConnection) -> TemplateVersion | None:
            row = (await connection.execute(query)).one_or_none()
            return to_version(row) if row else None

        return await self._database.read(work)


def _listed() -> Select[Any]:
    """Return a query of templates, with what lists tell of their drafts."""
    is_its = and_(_d.service == _t.service, _d.name == _t.name)
    has = [_has_parts(each).label(f"has_{each}") for each in Channel]
    return select(templates, _is_partial().label("is_partial"), *has).join_from(
        templates, template_drafts, is_its
    )


def _of_drafts(filter: TemplateFilter) -> Iterator[ColumnElement[bool]]:
    if filter.name:
        yield _t.name.contains(filter.name, autoescape=True)
    if filter.channel is not None:
        yield _has_parts(filter.channel)
    if filter.is_partial is not None:
        yield _is_partial() if filter.is_partial else ~_is_partial()


def _has_parts(channel: Channel) -> ColumnElement[bool]:
    return HasWithin(_d.content, literal_text("parts"), literal_text(channel.value))


def _is_partial() -> ColumnElement[bool]:
    return HasTrue(_d.content, literal_text("partial"))


async def _lock(connection: AsyncConnection, service: str, name: str) -> None:
    """Have the template, and its row locked: who changes it takes turns."""
    new = {"service": service, "name": name, "is_archived": False, "updated_at": Now()}
    statement = insert(templates).values(**new)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[_t.service, _t.name], set_={"updated_at": Now()}
        )
    )


async def _next_number(connection: AsyncConnection, service: str, name: str) -> int:
    last = select(func.coalesce(func.max(_v.number), 0)).where(_is_of(service, name))
    found: int = (await connection.scalars(last)).one()
    return found + 1


async def _numbers(connection: AsyncConnection, service: str, name: str) -> tuple[int, ...]:
    query = _versions(service, name).with_only_columns(_v.number).order_by(_v.number.desc())
    return tuple(await connection.scalars(query.limit(_MOST_TOLD)))


async def _published_names(connection: AsyncConnection, service: str) -> tuple[str, ...]:
    is_sent = and_(_t.service == service, _t.published.is_not(None), ~_t.is_archived)
    query = select(_t.name).where(is_sent).order_by(_t.name).limit(_MOST_TOLD)
    return tuple(await connection.scalars(query))


def _user(service: str, name: str) -> UUID:
    """Return what stands for a draft where it refers to attachments."""
    return uuid5(_DRAFTS, f"{service}/{name}")


def _draft(service: str, name: str) -> Select[Any]:
    return select(template_drafts).where(_d.service == service, _d.name == name)


def _is_of(service: str, name: str) -> ColumnElement[bool]:
    return and_(_v.service == service, _v.name == name)


def _versions(service: str, name: str) -> Select[Any]:
    return select(template_versions).where(_is_of(service, name))


def _version(service: str, name: str, number: int) -> Select[Any]:
    return _versions(service, name).where(_v.number == number)

"""Rules, their drafts and their versions."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.content.encoding import checksum
from notifier.errors import StoreUnavailableError
from notifier.events.rule import Rule, RuleVersion
from notifier.events.rule_reading import read_rule
from notifier.events.rules import MAX_RULES, RuleDraft, TooManyRules, WrittenRule
from notifier.idempotency import Applied, Idempotency, KeyReused, LostRace, NotFound, Remembered
from notifier.notification.model import JsonValue
from notifier.store.kit.database import Database
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.paging import in_order, listed, matching, newest_first
from notifier.store.kit.sql import Now
from notifier.store.rules.tables import rule_versions, rules

_r, _v = rules.c, rule_versions.c
_last = (
    select(func.coalesce(func.max(_v.number), 0))
    .where(_v.service == _r.service, _v.name == _r.name)
    .scalar_subquery()
)
_DRAFTS = select(rules, (_last + 1).label("next_number"))


class SqlRuleStore:
    """`RuleStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, *, service: str | None, limit: int, after: tuple[str, str] | None
    ) -> Sequence[RuleDraft]:
        those = _DRAFTS.where(*matching({_r.service: service}))
        query = in_order(those, _r.service, _r.name, limit=limit, after=after)
        return await listed(self._database, query, _to_draft)

    async def draft(self, service: str, name: str) -> RuleDraft | NotFound:
        async def work(connection: AsyncConnection) -> RuleDraft | NotFound:
            return await _found(connection, service, name)

        return await self._database.read(work)

    async def save(
        self, *, service: str, name: str, document: JsonValue, if_match: str | None
    ) -> RuleDraft | LostRace:
        text = json.dumps(document, separators=(",", ":"), sort_keys=True)
        values = {"draft": text, "etag": checksum(text), "updated_at": Now()}
        added = insert(rules).values(service=service, name=name, **values)
        stored = added.on_conflict_do_update(index_elements=[_r.service, _r.name], set_=values)

        async def work(connection: AsyncConnection) -> RuleDraft | LostRace:
            if if_match is not None:
                held = await _locked(connection, service, name)
                if (held.etag if held else "") != if_match:
                    await connection.rollback()
                    return LostRace(held.etag if held else None)
            await connection.execute(stored)
            saved = await _found(connection, service, name)
            assert isinstance(saved, RuleDraft)  # noqa: S101  it was just stored
            return saved

        return await self._database.write(work)

    async def publish(
        self, *, draft: RuleDraft, id: UUID, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused | LostRace | TooManyRules:
        async def work(connection: AsyncConnection) -> Applied | LostRace | TooManyRules:
            held = await _locked(connection, draft.service, draft.name)
            return await _published(connection, held, draft, id, held.draft if held else "")

        return await write_once(self._database, idempotency, work)

    async def rollback(
        self,
        *,
        draft: RuleDraft,
        number: int,
        id: UUID,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused | LostRace | TooManyRules | NotFound:
        earlier = select(_v.document).where(_is_of(draft.service, draft.name), _v.number == number)

        async def work(
            connection: AsyncConnection,
        ) -> Applied | LostRace | TooManyRules | NotFound:
            document = (await connection.scalars(earlier)).one_or_none()
            if document is None:
                return NotFound()
            held = await _locked(connection, draft.service, draft.name)
            return await _published(connection, held, draft, id, document)

        return await write_once(self._database, idempotency, work)

    async def remove(self, service: str, name: str) -> NotFound | None:
        gone = delete(rules).where(_r.service == service, _r.name == name).returning(_r.name)

        async def work(connection: AsyncConnection) -> NotFound | None:
            return None if (await connection.execute(gone)).all() else NotFound()

        return await self._database.write(work)

    async def versions(
        self, service: str, name: str, *, limit: int, before: int | None
    ) -> Sequence[WrittenRule]:
        versions = select(rule_versions).where(_is_of(service, name))
        query = newest_first(versions, _v.number, limit=limit, after=before)
        return await listed(self._database, query, _to_written)

    async def in_force(self, service: str) -> Sequence[RuleVersion]:
        is_its = and_(_v.service == _r.service, _v.name == _r.name, _v.number == _r.published)
        query = select(rule_versions).join_from(rules, rule_versions, is_its)
        query = query.where(_r.service == service).order_by(_r.name)

        async def work(connection: AsyncConnection) -> Sequence[Row[Any]]:
            return (await connection.execute(query)).all()

        return [_to_version(row) for row in await self._database.read(work)]

    async def by_id(self, id: UUID) -> RuleVersion | None:
        query = select(rule_versions).where(_v.id == id)

        async def work(connection: AsyncConnection) -> Row[Any] | None:
            return (await connection.execute(query)).one_or_none()

        row = await self._database.read(work)
        return _to_version(row) if row else None


async def _found(connection: AsyncConnection, service: str, name: str) -> RuleDraft | NotFound:
    query = _DRAFTS.where(_r.service == service, _r.name == name)
    row = (await connection.execute(query)).one_or_none()
    return _to_draft(row) if row else NotFound()


async def _locked(connection: AsyncConnection, service: str, name: str) -> Row[Any] | None:
    """Return the row of a rule, locked: who changes it takes turns."""
    query = select(rules).where(_r.service == service, _r.name == name).with_for_update()
    return (await connection.execute(query)).one_or_none()


async def _published(
    connection: AsyncConnection, held: Row[Any] | None, seen: RuleDraft, id: UUID, document: str
) -> Applied | LostRace | TooManyRules:
    """Put a document in force as the next version, unless the rule was changed meanwhile."""
    now = await _found(connection, seen.service, seen.name)
    if held is None or isinstance(now, NotFound):
        return LostRace(None)
    if (now.etag, now.next_number) != (seen.etag, seen.next_number):
        await connection.rollback()
        return LostRace(now.etag)
    others = select(func.count()).where(
        _r.service == seen.service, _r.name != seen.name, _r.published.is_not(None)
    )
    if (await connection.scalars(others)).one() >= MAX_RULES:
        return TooManyRules()
    its = {"service": seen.service, "name": seen.name, "number": seen.next_number}
    version = insert(rule_versions).values(id=id, document=document, created_at=Now(), **its)
    await connection.execute(version)
    changed = update(rules).where(_r.service == seen.service, _r.name == seen.name)
    await connection.execute(changed.values(published=seen.next_number, updated_at=Now()))
    return Applied()


def _is_of(service: str, name: str) -> ColumnElement[bool]:
    return and_(_v.service == service, _v.name == name)


def _to_draft(row: Row[Any]) -> RuleDraft:
    return RuleDraft(
        service=row.service,
        name=row.name,
        document=json.loads(row.draft),
        etag=row.etag,
        updated_at=row.updated_at,
        published=row.published,
        next_number=row.next_number,
    )


def _to_written(row: Row[Any]) -> WrittenRule:
    document = json.loads(row.document)
    return WrittenRule(number=row.number, id=row.id, document=document, created_at=row.created_at)


def _to_version(row: Row[Any]) -> RuleVersion:
    rule = read_rule(json.loads(row.document))
    if not isinstance(rule, Rule):
        # Only a newer notifier can have put it in force: its events are for that one, and wait.
        words = f"version {row.number} of the rule {row.name} is of a newer notifier"
        raise StoreUnavailableError(words)
    return RuleVersion(id=row.id, service=row.service, name=row.name, number=row.number, rule=rule)

"""How long notifications are kept."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from notifier.commands.answering import answering
from notifier.commands.checking import check_service
from notifier.commands.showing import Answer, table, told
from notifier.composition.resources import open_stores
from notifier.errors import NotifierError
from notifier.idempotency import NotFound
from notifier.notification.model import Channel
from notifier.notification.retention import LEAST_ROWS_DAYS, MOST_DAYS, Rule, StoredRule, Terms
from notifier.settings.groups import DatabaseSettings

group = typer.Typer(help="How long notifications are kept.", no_args_is_help=True)

Service = Annotated[str, typer.Argument(help="Whose notifications.")]
OfType = Annotated[
    Channel | None, typer.Option("--type", help="The channel; otherwise all without a rule.")
]

_RULE = ("service", "type", "content_days", "rows_days", "since")


class NoSuchRuleError(NotifierError):
    """Raised when there is no rule to remove."""


@group.command("list")
@answering
def list_rules() -> Answer:
    """List the rules; what none is for is kept as NOTIFIER_RETENTION__* say."""
    found = asyncio.run(rules_of(DatabaseSettings.from_env(os.environ)))
    return table(_RULE, [_row(each) for each in found])


@group.command("set")
@answering
def set_rule(
    service: Service,
    type: OfType = None,
    content_days: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_DAYS, help="Days until content goes; otherwise never."),
    ] = None,
    rows_days: Annotated[
        int | None,
        typer.Option(min=LEAST_ROWS_DAYS, max=MOST_DAYS, help="Days until all goes."),
    ] = None,
) -> Answer:
    """Say how long a service's notifications are kept after their end."""
    check_service(service)
    terms = Terms(content_days=content_days, rows_days=rows_days)
    rule = Rule(service=service, channel=type, terms=terms)
    asyncio.run(store_rule(DatabaseSettings.from_env(os.environ), rule))
    return told(
        f"{service}: content {_words(content_days)}, all of it {_words(rows_days)}.",
        service=service,
        type=type,
        content_days=content_days,
        rows_days=rows_days,
    )


@group.command()
@answering
def remove(service: Service, type: OfType = None) -> Answer:
    """Keep a service's notifications as long as others. What is gone stays gone."""
    if not asyncio.run(remove_rule(DatabaseSettings.from_env(os.environ), service, type)):
        raise NoSuchRuleError(f"{service} has no such rule")
    return told("It is gone.", service=service, type=type)


async def rules_of(settings: DatabaseSettings) -> Sequence[StoredRule]:
    """Return all rules."""
    async with open_stores(settings) as stores:
        return await stores.retention_rules.all()


async def store_rule(settings: DatabaseSettings, rule: Rule) -> None:
    """Add a rule, or put it in the place of the one for the same."""
    async with open_stores(settings) as stores:
        await stores.retention_rules.set(rule)


async def remove_rule(settings: DatabaseSettings, service: str, channel: Channel | None) -> bool:
    """Remove a rule; False if there was none."""
    async with open_stores(settings) as stores:
        return not isinstance(await stores.retention_rules.remove(service, channel), NotFound)


def _words(days: int | None) -> str:
    return "for ever" if days is None else f"for {days} days"


def _row(rule: StoredRule) -> Mapping[str, object]:
    return {
        "service": rule.service,
        "type": rule.channel.value if rule.channel else None,
        "content_days": rule.terms.content_days,
        "rows_days": rule.terms.rows_days,
        "since": rule.updated_at,
    }

"""Digests: how they stand, and those that failed once more, over the API."""

from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Any

import typer

from notifier.commands.answering import answering
from notifier.commands.calling import ActingFor, ApiClient, AtUrl
from notifier.commands.showing import Answer, table, told
from notifier.errors import SettingsError
from notifier.events.digest import DigestState

group = typer.Typer(help="What several events come to, sent as one.", no_args_is_help=True)

_DIGEST = ("id", "service", "rule", "state", "count", "due_at", "reason")
_MOST_LISTED = 200


@group.command("list")
@answering
def list_digests(
    *,
    state: Annotated[DigestState | None, typer.Option(help="That stand so.")] = None,
    rule: Annotated[str | None, typer.Option(help="Of this rule.")] = None,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """List the newest digests."""
    asked = {"state": state.value if state else None, "rule": rule}
    filter = {name: value for name, value in asked.items() if value is not None}
    found = ApiClient.of_environment(url, service).pages("digests", **filter)
    return table(_DIGEST, [_row(each) for each in islice(found, _MOST_LISTED)])


@group.command()
@answering
def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Their ids.")] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed.")] = False,
    rule: Annotated[str | None, typer.Option(help="With --failed: of this rule.")] = None,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """Send digests that failed, once what kept them from it is mended."""
    if bool(ids) == failed:
        raise SettingsError("say which: their ids, or --failed")
    client = ApiClient.of_environment(url, service)
    if failed:
        filter = {"state": DigestState.FAILED.value, **({"rule": rule} if rule else {})}
        ids = [str(each["id"]) for each in client.pages("digests", **filter)]
    for id in ids or ():
        client.post("digests", id, "replay", body=None)
    return told(f"Replayed {len(ids or ())}.", replayed=len(ids or ()))


def _row(found: Mapping[str, Any]) -> Mapping[str, object]:
    return {name: found[name] for name in _DIGEST}

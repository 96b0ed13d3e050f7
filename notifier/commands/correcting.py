"""Sending dead letters anew, for the command that does."""

import json
from collections.abc import Mapping, Sequence

from notifier.clock import SystemClock
from notifier.commands.acting import login
from notifier.commands.showing import Answer, Aside
from notifier.composition.drafting import make_drafter
from notifier.composition.resources import open_stores
from notifier.content.library import Library
from notifier.errors import SettingsError
from notifier.intake.forwarding import Edit, Forwarder
from notifier.notification.model import JsonValue
from notifier.replays.correcting import Corrected, Corrector
from notifier.replays.replay import Selection
from notifier.settings.groups import Settings

_MOST_TOLD = 10


async def correct_all(
    settings: Settings, selection: Selection, edit: Edit, rate: int, *, dry_run: bool
) -> Sequence[Corrected]:
    """Correct all that are selected, a part at a time."""
    done: list[Corrected] = []
    async with open_stores(settings) as stores:
        clock = SystemClock()
        drafter = make_drafter(settings, stores, clock)
        forwarder = Forwarder(stores.queries, Library(stores.templates, clock), drafter)
        corrector = Corrector(stores.letters, forwarder, clock)
        while not done or done[-1].goes_on_after:
            after = done[-1].goes_on_after if done else None
            done.append(
                await corrector.correct(
                    selection, edit, by=login(), after=after, rate_per_s=rate, dry_run=dry_run
                )
            )
    return done


def corrected_answer(done: Sequence[Corrected], *, dry_run: bool) -> Answer:
    """Answer what came of it."""
    corrected, refused = sum(each.corrected for each in done), sum(each.refused for each in done)
    findings = {
        str(id): "; ".join(f"{flaw.field}: {flaw.words}" for flaw in flaws)
        for each in done
        for id, flaws in each.findings.items()
    }
    words = f"{'Would send' if dry_run else 'Sent'} {corrected} anew; {refused} stay as they are."
    told = [Aside(f"{id}: {why}") for id, why in list(findings.items())[:_MOST_TOLD]]
    value = {"corrected": corrected, "refused": refused, "findings": findings, "dry_run": dry_run}
    return Answer(value=value, words=[words, *told])


def read_variables(given: Sequence[str]) -> Mapping[str, JsonValue]:
    """Read name=value pairs; a value is JSON where it reads as that, else a text.

    Raises:
        SettingsError: one is no pair.
    """
    found: dict[str, JsonValue] = {}
    for each in given:
        name, is_there, value = each.partition("=")
        if not (name and is_there):
            raise SettingsError(f"--variable {each}: expected name=value")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found

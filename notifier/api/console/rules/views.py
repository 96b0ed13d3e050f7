"""What pages show of rules, and of what they would do."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from notifier.api.console.rules.sources import line_at, lines_of
from notifier.api.console.words import CHANNELS, counted, time_words
from notifier.api.kit.body import pointer
from notifier.api.rules.rehearsals import RehearsedView, ShownView
from notifier.events.rehearsing import Rehearsed
from notifier.events.rules import RuleDraft
from notifier.events.written import RuleFlaw
from notifier.notification.model import JsonValue

_MOST_SHOWN_CHARS = 160


def state_of(it: RuleDraft) -> str:
    """Return how it stands, in a word."""
    return "draft" if it.published is None else "published"


def found_in(source: str, flaws: Sequence[RuleFlaw]) -> Sequence[Mapping[str, object]]:
    """Return what is wrong with a source that is JSON, each with its line."""
    lines = lines_of(source)
    written = source.split("\n")
    shown = [(line_at(lines, each.path), each) for each in flaws]
    return [
        _finding(pointer(each.path), each.words, line, written[line - 1].strip())
        for line, each in sorted(shown, key=lambda it: it[0])
    ]


def broken(words: str) -> Sequence[Mapping[str, object]]:
    """Return what is shown of a source that is no JSON."""
    return [_finding("json", words, None, "")]


def _finding(code: str, words: str, line: int | None, source: str) -> Mapping[str, object]:
    return {
        "severity": "error",
        "code": code or "the rule",
        "detail": words,
        "line": line,
        "column": None,
        "source": source[:_MOST_SHOWN_CHARS],
        "partial": "",
        "where": "",
        "path": "",
    }


def summary_of(findings: Sequence[object]) -> str:
    """Return how many there are."""
    if not findings:
        return "Nothing is found: it can be published."
    return f"{counted(len(findings), 'error')}: it cannot be published like this."


def shown_matches(
    made: Sequence[Rehearsed], *, sees_content: bool
) -> Sequence[Mapping[str, object]]:
    """Return what would come of an event, person by person.

    What it says may hold what is known of a person, and is for those who may see that.
    """
    return [_match(RehearsedView.of(each), sees_content=sees_content) for each in made]


def _match(it: RehearsedView, *, sees_content: bool) -> Mapping[str, object]:
    told = [*it.notifications]
    behind = it.digest.notifications if it.digest else []
    return {
        "person": it.person or "nobody",
        "key": it.key or "",
        "outcome": it.outcome.value,
        "reason": it.reason or "",
        "notifications": [_notification(each, sees_content=sees_content) for each in told],
        "digest": _digest(it),
        "behind": [_notification(each, sees_content=sees_content) for each in behind],
        "throttle": f"{it.throttle.count} in {it.throttle.per_s} s" if it.throttle else "",
        "broadcast": f"everybody of the topic {it.broadcast.topic}" if it.broadcast else "",
    }


def _digest(it: RehearsedView) -> str:
    if it.digest is None:
        return ""
    words = f"collected until {time_words(it.digest.due_at)}"
    if it.digest.unfinished:
        words += f"; it would come to nothing: {it.digest.unfinished}"
    return words


def _notification(it: ShownView, *, sees_content: bool) -> Mapping[str, object]:
    return {
        "channel": it.type.value,
        "channel_name": CHANNELS[it.type],
        "when": _when(it.send_at),
        "unless": " or ".join(filter(None, (it.unless and it.unless.value, it.unless_event))),
        "withheld": it.withheld or "",
        "is_told": sees_content,
        "subject": it.subject or "" if sees_content else "",
        "text": it.text or "" if sees_content else "",
    }


def _when(at: datetime | None) -> str:
    return f"at {time_words(at)}" if at else "at once"


def steps_of(document: JsonValue) -> Iterator[str]:
    """Yield what a rule does, step by step, in words."""
    steps: Any = document.get("steps") if isinstance(document, dict) else None
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, dict):
            yield _step(step)


def _step(step: Mapping[str, Any]) -> str:
    match step:
        case {"send": channels, "template": template} if isinstance(channels, list):
            return f"send {template} by {' and '.join(map(str, channels))}"
        case {"delay": delay}:
            return f"wait {_said(delay)}"
        case {"digest": digest}:
            return f"collect {_said(digest)}"
        case {"unless": unless}:
            return f"stop if {_said(unless)}"
        case {"throttle": throttle}:
            return f"at most {_said(throttle)}"
        case _:
            return _said(step)


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_said(each)}" for name, each in value.items())
    return f"{value}"

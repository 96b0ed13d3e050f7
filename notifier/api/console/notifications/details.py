"""What is told of a notification beside its timeline; much of it leads to what shares it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from notifier.api.console.notifications.words import error_words
from notifier.api.console.words import time_words
from notifier.content.template import TemplateVersion
from notifier.notification.model import Notification, Status


@dataclass(frozen=True, slots=True)
class Detail:
    """A detail; `search` is the query of the search that finds what has it, too."""

    name: str
    value: str
    search: str = ""


def details(it: Notification, version: TemplateVersion | None) -> Sequence[Mapping[str, str]]:
    """Return what there is of them; `version` is that of its template."""
    return [
        {"name": each.name, "value": each.value, "search": each.search}
        for each in (*_standing(it), *_addressee(it), *_origin(it, version), *_metadata(it))
        if each.value
    ]


def _standing(it: Notification) -> Sequence[Detail]:
    return (
        Detail("Id", str(it.id)),
        Detail("Accepted", time_words(it.created_at)),
        Detail("Due", _time(it.due_at if it.status is Status.PENDING else None)),
        Detail("Sent", _time(it.sent_at)),
        Detail("Ended", _time(it.finished_at)),
        Detail("Expires", _time(it.expires_at)),
        Detail("Attempts", str(it.attempts)),
        _shared("Provider", "provider", it.provider),
        Detail("Its id there", it.provider_id or ""),
        _shared("Error code", "error_code", it.fault.code if it.fault else None),
        Detail("Last error", error_words(it.fault)),
    )


def _addressee(it: Notification) -> Sequence[Detail]:
    to, size = it.addressee, it.size
    return (
        _shared("Recipient", "recipient", it.recipient),
        _shared("Person", "user_id", to.user_id if to else None),
        _shared("Category", "category", to.category if to else None),
        Detail("Messages", f"{size.segments} ({size.encoding})" if size else ""),
    )


def _origin(it: Notification, version: TemplateVersion | None) -> Sequence[Detail]:
    locale = it.template.locale if it.template else ""
    number = f"version {version.number}, {locale}" if version else ""
    broadcast = str(it.broadcast_id) if it.broadcast_id else None
    return (
        _shared("Priority", "priority", it.lane.value),
        _shared("Template", "template", version.name if version else None),
        Detail("Of it", number),
        _shared("Rule", "rule", it.origin.rule if it.origin else None),
        _shared("Broadcast", "broadcast_id", broadcast),
    )


def _metadata(it: Notification) -> Sequence[Detail]:
    return [
        Detail(f"metadata {name}", value, urlencode({"metadata": f"{name}={value}"}))
        for name, value in it.metadata.items()
    ]


def _shared(name: str, parameter: str, value: str | None) -> Detail:
    return Detail(name, value or "", urlencode({parameter: value}) if value else "")


def _time(at: datetime | None) -> str:
    return time_words(at) if at else ""

"""Searches as a form asks for them, in the words of the API."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from notifier.api.kit.problems import InvalidField
from notifier.api.kit.querying import checked_query
from notifier.api.notifications.queries import NotificationQuery

_FIRST = ("id", "recipient", "template", "error_code", "status")
SEVERAL = ("status", "type", "priority")
_SINGLE = (
    "id",
    "recipient",
    "user_id",
    "template",
    "error_code",
    "category",
    "provider",
    "broadcast_id",
    "rule",
    "metadata",
    "created_from",
    "created_before",
    "service",
)
_TIMES = ("created_from", "created_before")
_LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)

Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was filled in: blank fields and what is no field are left out."""

    parameters: Parameters

    @classmethod
    def of(cls, given: Iterable[tuple[str, str]]) -> "Asked":
        """Read what a form was sent with."""
        known = (*_SINGLE, *SEVERAL)
        return cls(
            [(name, text) for name, value in given if name in known and (text := value.strip())]
        )

    @property
    def fields(self) -> Mapping[str, object]:
        """All fields, as the form shows them."""
        single = dict.fromkeys(_SINGLE, "") | dict(self.parameters)
        several = {name: self._chosen(name) for name in SEVERAL}
        return {**single, **several}

    @property
    def says_more(self) -> bool:
        """Whether it names what only few ask for."""
        return any(name not in _FIRST for name, _ in self.parameters)

    @property
    def text(self) -> str:
        """The query of a link that finds the same."""
        return urlencode(self.parameters)

    def checked(self, **more: str) -> NotificationQuery | Sequence[InvalidField]:
        """Return it as the API takes it, or what is wrong; `more` it says besides."""
        api = [each for name, value in self.parameters for each in _translated(name, value)]
        return checked_query(NotificationQuery, [*api, *more.items()])

    def _chosen(self, name: str) -> Sequence[str]:
        given = [value for each, value in self.parameters if each == name]
        return [one for value in given for one in value.split(",")]


def _translated(name: str, value: str) -> Iterable[tuple[str, str]]:
    if name == "metadata":
        pairs = [each.partition("=") for each in value.split(",")]
        return [(f"metadata.{key.strip()}", text.strip()) for key, _, text in pairs]
    if name in _TIMES and _LOCAL_TIME.fullmatch(value):
        return [(name, f"{value}:00Z")]
    return [(name, value)]


def flaws(wrong: Sequence[InvalidField]) -> Mapping[str, str]:
    """Return what is wrong by field."""
    found: dict[str, list[str]] = {}
    for each in wrong:
        found.setdefault(each.where.split(".")[0], []).append(each.detail)
    return {field: "; ".join(details) for field, details in found.items()}

"""Forms of the console whose fields are declared once: label, control, hint, and what is wrong."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import TypeAlias

from starlette.responses import Response

from notifier.api.console.forms import Form
from notifier.api.console.visits import Visit
from notifier.api.kit.problems import InvalidField

Flaws: TypeAlias = Mapping[str, Sequence[str]]
"""What is wrong by the names of fields; an empty name: with none of them alone."""


class Control(StrEnum):
    """What a field is filled in with."""

    TEXT = "text"
    AREA = "area"
    SECRET = "secret"  # noqa: S105  a control's name
    """A password: it is never shown again."""
    CHOICE = "choice"
    """One of several."""
    RADIOS = "radios"
    """One of several that are all in sight."""
    CHECKS = "checks"
    """Any of several."""
    SWITCH = "switch"
    """Yes, or no."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form."""

    name: str
    label: str
    hint: str = ""
    control: Control = Control.TEXT
    options: Sequence[tuple[str, str]] = ()
    """Of a choice: values, and what people read."""
    fills: str = "off"
    """What browsers may fill it in with: a token of HTML's `autocomplete`."""

    def shown(self, form: Form, flaws: Flaws) -> Mapping[str, object]:
        """Return it as templates show it, with what was filled in."""
        return {
            "name": self.name,
            "label": self.label,
            "hint": self.hint,
            "control": self.control.value,
            "options": self.options,
            "fills": self.fills,
            "value": "" if self.control is Control.SECRET else form.text(self.name),
            "chosen": form.texts(self.name),
            "flaws": flaws.get(self.name, ()),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FormPage:
    """A page with one form; paths are below the console."""

    title: str
    fields: Sequence[Field]
    button: str
    action: str
    up: tuple[str, str]
    """The page above: its name, and its path."""
    said: Sequence[str] = ()
    """What to know before."""
    facts: Sequence[tuple[str, str]] = ()
    """What it is about: names, and values."""
    hidden: Mapping[str, str] = field(default_factory=dict)
    is_dangerous: bool = False

    def show(self, visit: Visit, form: Form | None = None, flaws: Flaws | None = None) -> Response:
        """Show it as `form` was filled in, with what is wrong at the fields where it is."""
        filled, wrong = form or Form(), _placed(flaws or {}, self.fields)
        return visit.page(
            "form.html",
            {
                "title": self.title,
                "up": self.up,
                "said": self.said,
                "facts": self.facts,
                "fields": [each.shown(filled, wrong) for each in self.fields],
                "flaws": wrong,
                "labels": {each.name: each.label for each in self.fields},
                "hidden": self.hidden,
                "action": self.action,
                "button": self.button,
                "is_dangerous": self.is_dangerous,
            },
            status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        )


def given(form: Form, *names: str) -> dict[str, str]:
    """Return what was filled in of these fields, without what was left blank."""
    return {name: text for name in names if (text := form.text(name))}


def filled(**values: str | Sequence[str]) -> Form:
    """Return a form as it is before anybody fills it in."""
    return Form({name: [it] if isinstance(it, str) else list(it) for name, it in values.items()})


def flaws_of(wrong: Iterable[InvalidField]) -> Flaws:
    """Return what the API says is wrong, by field."""
    found: dict[str, list[str]] = {}
    for each in wrong:
        name = each.where.removeprefix("/").partition("/")[0]
        found.setdefault(name, []).append(each.detail)
    return found


def _placed(flaws: Flaws, fields: Sequence[Field]) -> Flaws:
    """Return `flaws`, with those that are at no field of the form under the empty name."""
    known = {each.name for each in fields}
    found: dict[str, list[str]] = {}
    for name, words in flaws.items():
        is_known = name in known
        said = words if is_known or not name else [f"{name}: {each}" for each in words]
        found.setdefault(name if is_known else "", []).extend(said)
    return found

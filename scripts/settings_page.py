"""Write docs/settings.md from the settings in the code: python scripts/settings_page.py."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from notifier.channels.registry import PROVIDERS
from notifier.composition.settings import ALL_SETTINGS
from notifier.settings.environment import PREFIX

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

HEAD = """\
# Settings

Every setting is an environment variable. A wrong or unknown one stops the start with one line
that names it, and exit code 2. Any of them can come from a file instead, as container platforms
hand over secrets: `NOTIFIER_KEY_PEPPER_FILE=/run/secrets/pepper` sets `NOTIFIER_KEY_PEPPER` to
the file's content.

- Lists are separated by commas. Names that end in `_S` are seconds; `500ms`, `30s`, `5m`, `2h` and
  `1d` are understood too. Switches are `true` or `false`, `yes` or `no`, `on` or `off`.
- White space, line ends, a byte order mark and matching quotation marks around a value are left
  out, since env files keep them. A variable that is then empty counts as one that is not set.
- A comment in an env file needs a line of its own.
- What Kubernetes puts into every pod for a Service whose name begins with `notifier`, such as
  `NOTIFIER_PORT=tcp://10.0.0.1:8000`, and Docker for a link, is left alone.

`./scripts/run` (`notifier dev`) sets the required ones by itself, and the sandbox for every
channel; what you set wins.

This page is written from the code by `python scripts/settings_page.py`.
"""


def page() -> str:
    """The whole page."""
    tables = [_table("General", ALL_SETTINGS, ())]
    for name, field in ALL_SETTINGS.model_fields.items():
        if _is_group(field):
            group = field.annotation
            tables.append(_table((group.__doc__ or "").rstrip("."), group, (name,)))
    return "\n".join([HEAD, *tables])


def _table(title: str, group: Any, path: tuple[str, ...]) -> str:
    head = f"## {title}\n\n| variable | default | what it sets |\n|---|---|---|\n"
    return head + "".join(_rows(group, path))


def _rows(group: type[BaseModel], path: tuple[str, ...]) -> Iterator[str]:
    # What it has of its own goes first, then what it has of whom it is nearest to.
    fields = sorted(group.model_fields.items(), key=lambda each: _distance(group, each[0]))
    for name, field in fields:
        if not _is_group(field):
            variable = PREFIX + "__".join([*path, name]).upper()
            choice = _providers(path) if name == "providers" else _choice(field)
            yield f"| `{variable}` | {_default(field)} | {field.description}{choice} |\n"


def _distance(group: type[BaseModel], name: str) -> int:
    return next(
        nth
        for nth, each in enumerate(group.__mro__)
        if name in getattr(each, "__annotations__", ())
    )


def _providers(path: tuple[str, ...]) -> str:
    names = [f"`{each.name}`" for each in PROVIDERS if path[0] in each.channels]
    return f" There are {', '.join(names)}."


def _choice(field: FieldInfo) -> str:
    if get_origin(field.annotation) is not Literal:
        return ""
    return " One of " + ", ".join(f"`{value}`" for value in get_args(field.annotation)) + "."


def _is_group(field: FieldInfo) -> Any:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _default(field: FieldInfo) -> str:
    match field.default:
        case default if default is PydanticUndefined:
            return "**required**"
        case None | () | SecretStr():
            return "not set"
        case tuple() as values:
            return (
                "`" + ",".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values) + "`"
            )
        case bool() as value:
            return f"`{str(value).lower()}`"
        case value:
            return f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

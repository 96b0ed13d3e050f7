"""What clients ask for in a query string, checked as strictly as a body."""

import re
from collections.abc import Iterable
from typing import Annotated, Protocol, TypeVar
from urllib.parse import quote, unquote, urlencode
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.requests import Request

from notifier.api.kit.body import unstorable
from notifier.api.kit.checking import read_model
from notifier.api.kit.fields import WireTime
from notifier.api.kit.problems import InvalidField, invalid

_MEMBER = re.compile(
    r"(?P<of>metadata|attribute)(?:\.(?P<dotted>.+)|\[(?P<bracketed>.+)\])", re.DOTALL
)
_SPACE = re.compile(r"(?<=\d) (?=\d\d:\d\d$)", re.ASCII)
_NUMBER_WITHOUT_PLUS = re.compile(r" [1-9][\d\s()./-]{5,30}", re.ASCII)
MAX_SEQ = 2**63 - 1


def parse_seq(value: object) -> int:
    """Read a place in an inbox or among captures.

    Raises:
        ValueError: it is no number that fits.
    """
    text = str(value)
    if not re.fullmatch(r"\d{1,19}", text, re.ASCII) or int(text) > MAX_SEQ:
        message = "expected a number that an earlier answer gave"
        raise ValueError(message)
    return int(text)


class Named(Protocol):
    """What has a name within its service."""

    @property
    def name(self) -> str:
        """Without a comma."""

    @property
    def service(self) -> str:
        """Whose it is."""


def named_place(one: Named) -> str:
    """Return where it stands among those of all services, as `after` takes it."""
    return f"{one.name},{quote(one.service, safe='')}"


def _named_place(value: object) -> tuple[str, str]:
    name, comma, service = str(value).partition(",")
    if not comma:
        message = "expected what an earlier answer's next says"
        raise ValueError(message)
    return unquote(service), name


NamedPlace = Annotated[
    tuple[str, str] | None,
    BeforeValidator(_named_place),
    WithJsonSchema({"type": "string"}),
    Field(description="Where the last page ended, from its `next`."),
]
"""Service and name, as `named_place` wrote them."""


def _limit(value: object) -> int:
    text = str(value)
    if not re.fullmatch(r"[1-9]\d{0,2}", text, re.ASCII) or int(text) > 200:  # noqa: PLR2004 - said below
        message = "expected a number from 1 to 200"
        raise ValueError(message)
    return int(text)


def _flag(value: object) -> bool:
    if value not in (True, False, "true", "false"):
        message = "expected true or false"
        raise ValueError(message)
    return value in (True, "true")


def _id(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError as error:
        message = "expected an id, such as an earlier answer gave"
        raise ValueError(message) from error


def _time(value: object) -> object:
    """A + that nobody escaped arrives as a space, and before an offset it can be nothing else."""
    return _SPACE.sub("+", value) if isinstance(value, str) else value


Time = Annotated[WireTime, BeforeValidator(_time)]
Limit = Annotated[
    int,
    BeforeValidator(_limit),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
    Field(description="How many items at most."),
]
Seq = Annotated[
    int,
    BeforeValidator(parse_seq),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_SEQ}),
    Field(description="The seq of the last item seen; continue after it."),
]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]


Service = Annotated[
    str | None,
    Field(min_length=1, max_length=200, description="Another service; with the scope admin only."),
]


class QueryModel(BaseModel):
    """A query string."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def number_with_plus(value: object) -> object:
    """A + that nobody escaped arrives as a space; a number begins with one."""
    if isinstance(value, str) and _NUMBER_WITHOUT_PLUS.fullmatch(value):
        return f"+{value[1:]}"
    return value


Id = Annotated[UUID, BeforeValidator(_id)]
After = Annotated[
    UUID | None,
    BeforeValidator(_id),
    Field(description="The id where an earlier answer's next goes on."),
]


Query = TypeVar("Query", bound=QueryModel)

_LISTS = ("status", "type", "priority")


def read_query(model: type[Query], request: Request) -> Query:
    """Check the query string of `request` against `model`.

    Raises:
        ProblemError: 422, naming every parameter that is wrong.
    """
    checked = checked_query(model, request.query_params.multi_items())
    if isinstance(checked, list):
        raise invalid(checked)
    return checked


def checked_query(
    model: type[Query], parameters: Iterable[tuple[str, str]]
) -> Query | list[InvalidField]:
    """Check names and values of a query string against `model`; all that is wrong otherwise."""
    lists = [name for name in _LISTS if _is_list(model, name)]
    values, wrong = _gather(parameters, lists)
    checked = read_model(model, values, are_parameters=True)
    return wrong or checked if not isinstance(checked, list) else wrong + checked


def next_page(request: Request, after: object) -> str:
    """Return the path and query of the page after `after`."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
    return f"{request.url.path}?{urlencode([*kept, ('after', str(after))])}"


def _is_list(model: type[QueryModel], name: str) -> bool:
    return name in model.model_fields and model.model_fields[name].default == []


def _gather(
    parameters: Iterable[tuple[str, str]], lists: list[str]
) -> tuple[dict[str, object], list[InvalidField]]:
    values: dict[str, object] = {}
    objects: dict[str, dict[str, str]] = {}
    wrong: list[InvalidField] = []
    for name, value in parameters:
        match = _MEMBER.fullmatch(name)
        target: dict[str, object] | dict[str, str] = values
        if match:
            target = objects.setdefault(match["of"], {})
        key = (match["dotted"] or match["bracketed"]) if match else name
        wrong += _unfit(name, value, is_repeated=key in target and name not in lists)
        if name in lists:
            values[name] = [*_items(values.get(name)), *value.split(",")]
        else:
            target[key] = value
    return {**values, **objects}, wrong


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _unfit(name: str, value: str, *, is_repeated: bool) -> list[InvalidField]:
    found = [each.detail for text in (name, value) for each in unstorable(text)]
    if is_repeated:
        found.append("given more than once")
    return [InvalidField(name[:100], detail, is_parameter=True) for detail in found]

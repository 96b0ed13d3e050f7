"""Reading settings: from variables to checked and frozen values."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from notifier.errors import SettingsError
from notifier.expecting import expected
from notifier.settings.environment import PREFIX, given
from notifier.urls import THIS_MACHINE, each_url
from notifier.wall_time import is_zone

FieldPath: TypeAlias = tuple[str, ...]
Nested: TypeAlias = "dict[str, str | Nested]"


_A_YEAR_S = 31_536_000
_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)", re.IGNORECASE)
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>\d{1,5}))?", re.ASCII
)
_USUAL_PORTS = {"https": 443, "http": 80}
# Words that other programs have for the same.
_SYNONYMS = {"warn": "warning", "ssl": "tls", "text": "console"}
_COMMENT = re.compile(r"\s#")


def _split(value: object) -> object:
    """The parts of a list as people write one: with a comma at its end, or as JSON."""
    if not isinstance(value, str):
        return value
    inner = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    parts = [part.strip().strip("\"'").strip() for part in inner.split(",")]
    return parts[:-1] if parts[-1] == "" and len(parts) > 1 else parts


def _folded(value: object) -> object:
    return [part.lower() for part in value] if isinstance(value, list) else value


def _seconds(value: object) -> object:
    if isinstance(value, str) and (duration := _DURATION.fullmatch(value)):
        return float(duration[1]) * _UNITS_S[duration[2].lower()]
    return value


def _host(value: str) -> str:
    host = value.removeprefix("[").removesuffix("]") if value.startswith("[") else value
    if re.search(r"[\s/@#,\[\]]", host) or (host.count(":") == 1):
        raise ValueError("expected a host's name or address alone, without scheme, port or path")
    return host


def _base_url(value: str) -> str:
    expected = "expected https://host or http://host, perhaps with a port and a path"
    try:
        url = urlsplit(value)
        is_whole = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        raise ValueError(expected) from None
    if not is_whole or url.query or url.fragment or re.search(r"\s", value):
        raise ValueError(expected)
    return value.rstrip("/")


def _public_url(value: str) -> str:
    url = urlsplit(value)
    if url.username or (url.scheme != "https" and url.hostname not in THIS_MACHINE):
        raise ValueError("expected https://host, perhaps with a port and a path, and no login")
    return value


def _origin(value: str) -> str:
    """Return it as browsers write it: in lower case, and without the port that its scheme has."""
    if "*" in value:
        raise ValueError("expected each origin by its name: * would let in pages of anybody")
    match = _ORIGIN.fullmatch(value.lower())
    if not match or not _is_port(match["port"]):
        raise ValueError(
            "expected origins such as https://app.example.com: a scheme, a host in ASCII, perhaps "
            "a port, and nothing after it, not even a slash"
        )
    port = match["port"]
    is_usual = port is None or int(port) == _USUAL_PORTS[match["scheme"]]
    return f"{match['scheme']}://{match['host']}" + ("" if is_usual else f":{int(port)}")


def _is_port(text: str | None) -> bool:
    return text is None or 0 < int(text) < 65_536  # noqa: PLR2004


def _network(value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise ValueError("expected addresses or networks, such as 10.0.0.0/8") from None


def _zone(name: str) -> str:
    if not is_zone(name):
        raise ValueError("expected a time zone's name, such as Europe/Vienna")
    return name


def secret_base_urls(value: SecretStr) -> SecretStr:
    """Check URLs of one cluster, with the login in them."""
    urls = [_base_url(url) for url in each_url(value.get_secret_value())]
    logins = {(at.username, at.password) for at in map(urlsplit, urls) if at.username}
    if len(logins) > 1:
        raise ValueError("its URLs differ in user or password: they must be of one cluster")
    return SecretStr(",".join(urls))


Seconds: TypeAlias = Annotated[
    float, BeforeValidator(_seconds), Field(gt=0, le=_A_YEAR_S, allow_inf_nan=False)
]
Listed = BeforeValidator(_split)
"""Lets a tuple be written as a list with commas."""
Names: TypeAlias = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_folded), Listed
]
Words: TypeAlias = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Listed]
"""As names, but as they are written."""
Networks: TypeAlias = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], Listed]
Origins: TypeAlias = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], Listed]
Schedule: TypeAlias = Annotated[tuple[Seconds, ...], Listed, Field(min_length=1)]
Host: TypeAlias = Annotated[str, AfterValidator(_host)]
BaseUrl: TypeAlias = Annotated[str, AfterValidator(_base_url)]
PublicUrl: TypeAlias = Annotated[BaseUrl, AfterValidator(_public_url)]
"""Where other people's programs reach us."""
Secrets: TypeAlias = Annotated[tuple[Annotated[SecretStr, Field(min_length=16)], ...], Listed]


ZoneName: TypeAlias = Annotated[str, AfterValidator(_zone)]
RatePerS: TypeAlias = Annotated[float, Field(gt=0, le=100_000)]


class Group(BaseModel):
    """Settings that belong together; words are taken in any case."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _in_any_case(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[info.field_name or ""]
        if get_origin(field.annotation) is not Literal or not isinstance(value, str):
            return value
        choices = {choice.lower(): choice for choice in get_args(field.annotation)}
        word = value.lower()
        return choices.get(word) or choices.get(_SYNONYMS.get(word, word), value)


class Environment(Group):
    """Settings as they are read from variables; variables of others are none of its business."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read and check the settings; an empty variable counts as one that is not set.

        Raises:
            SettingsError: one line that names the first variable that is missing or wrong. It
                never repeats a value.
        """
        known = {_variable(fields): fields for fields in _fields_of(cls)}
        is_complete = cls.model_config.get("extra") == "forbid"
        values = given(environ, known, is_complete=is_complete)
        found = {known[name]: value for name, value in values.items()}
        try:
            return cls.model_validate(_nested(found))
        except ValidationError as error:
            raise SettingsError(_first_problem(error, found)) from None


def _first_problem(error: ValidationError, found: Mapping[FieldPath, str]) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    message = expected(first)
    if first["type"] == "too_short" and "min_length" in first["ctx"]:
        message = f"expected {first['ctx']['min_length']} characters or more"
    fields = tuple(part for part in first["loc"] if isinstance(part, str))
    if not fields:
        return message
    name = _variable(fields)
    if first["type"] == "missing":
        return f"{name}: is not set; see docs/settings.md"
    if _COMMENT.search(found.get(fields, "")):
        message += "; an env file's comment needs a line of its own"
    return f"{name}: {message}"


def _variable(fields: FieldPath) -> str:
    return PREFIX + "__".join(fields).upper()


def _fields_of(model: type[BaseModel], group: FieldPath = ()) -> Iterator[FieldPath]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _fields_of(inner, (*group, name))
        else:
            yield (*group, name)


def _nested(given: Mapping[FieldPath, str]) -> Nested:
    nested: Nested = {}
    for (*groups, field), value in given.items():
        group = nested
        for name in groups:
            inner = group.setdefault(name, {})
            assert isinstance(inner, dict)  # noqa: S101  no field is a group
            group = inner
        group[field] = value
    return nested

"""Environment variables as people have them: quoted, from files, or put there by a platform."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path

from notifier.errors import SettingsError

PREFIX = "NOTIFIER_"

_TEST_PREFIX = "NOTIFIER_TEST_"
_FILE_SUFFIX = "_FILE"
_EXPORT = "export "
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"

# What Kubernetes sets in every pod for a Service whose name begins with "notifier", and Docker for
# a link: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
# No service's name ends with a hyphen, so nothing of theirs reads like a group's field.
_SERVICE_PORT = re.compile(r"(?<!_)_SERVICE_PORT(_[A-Z0-9_]+)?")
_PORT = re.compile(r"(?<!_)_PORT(_\d+_(TCP|UDP|SCTP))?")
_PORT_PART = re.compile(r"(?<!_)_PORT_\d+_(TCP|UDP|SCTP)_(?P<part>PROTO|PORT|ADDR)")
_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+", re.IGNORECASE)
_LINK = re.compile(r"(/[\w.-]+){2,}")


def given(
    environ: Mapping[str, str], known: Collection[str], *, is_complete: bool
) -> dict[str, str]:
    """The values of the `known` variables that are set, by themselves or by a file that one names.

    White space, a byte order mark and matching quotation marks around a value are left out, for
    env files keep them; a variable that is then empty counts as one that is not set. With
    `is_complete`, `known` are all that there are, and any other of ours is a mistake.

    Raises:
        SettingsError: there is no such variable, or its file cannot be read.
    """
    ours = _ours(environ)
    found: dict[str, str] = {}
    for name, value in ours.items():
        plain = name if name in known else name.removesuffix(_FILE_SUFFIX)
        if plain in known:
            found[plain] = value if plain == name else _content(name, plain, ours)
        elif is_complete:
            raise SettingsError(f"{name}: there is no such setting{_meant(name, known)}")
    return found


def _ours(environ: Mapping[str, str]) -> dict[str, str]:
    named = {_name(name): _cleaned(value) for name, value in environ.items()}
    ours = {name: value for name, value in named.items() if _is_ours(name) and value}
    linked = tuple(
        f"{name.removesuffix('_NAME')}_ENV_"
        for name, value in ours.items()
        if name.endswith("_NAME") and _LINK.fullmatch(value)
    )
    return {
        name: value
        for name, value in ours.items()
        if not (_is_injected(name, value) or name.startswith(linked))
    }


def _name(name: str) -> str:
    return name.strip(f" \t\r\n{_BYTE_ORDER_MARK}").removeprefix(_EXPORT).strip()


def _is_ours(name: str) -> bool:
    return name.startswith(PREFIX) and not name.startswith(_TEST_PREFIX)


def _cleaned(value: str) -> str:
    value = value.strip().strip(_BYTE_ORDER_MARK).strip()
    quote, inner = value[:1], value[1:-1]
    if len(value) < 2 or quote not in "\"'" or value[-1] != quote:  # noqa: PLR2004 - a pair
        return value
    if quote in inner.replace(f"\\{quote}", ""):
        return value
    return inner.replace(f"\\{quote}", quote).strip()


def _is_injected(name: str, value: str) -> bool:
    """Whether a platform tells of a service in this way; no one sets anything of ours so."""
    rest = name.removeprefix(PREFIX.rstrip("_"))
    if rest.endswith("_SERVICE_HOST"):
        return _is_ip(value)
    if (part := _ending(_PORT_PART, rest)) is not None:
        return {
            "PROTO": value.lower() in ("tcp", "udp", "sctp"),
            "PORT": value.isdecimal(),
            "ADDR": _is_ip(value),
        }[part["part"]]
    if _ending(_SERVICE_PORT, rest) is not None:
        return value.isdecimal()
    if _ending(_PORT, rest) is not None:
        return _ADDRESS.fullmatch(value) is not None
    return rest.endswith("_NAME") and _LINK.fullmatch(value) is not None


def _ending(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next((found for found in pattern.finditer(text) if found.end() == len(text)), None)


def _is_ip(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def _meant(name: str, known: Iterable[str]) -> str:
    # Without the prefix, which makes all of them alike.
    others = [other.removeprefix(PREFIX) for other in known]
    asked = name.removeprefix(PREFIX).upper()
    similar = _elsewhere(asked, others) or get_close_matches(asked, others, n=1, cutoff=0.7)
    return f"; is {PREFIX}{similar[0]} meant?" if similar else "; see docs/settings.md"


def _elsewhere(asked: str, others: Sequence[str]) -> Sequence[str]:
    """Return the one that has this field in another group, or in none."""
    group, separator, field = asked.rpartition("__")
    has_group = any(other.startswith(f"{group}__") for other in others)
    if asked in others or not separator or not has_group:
        return []
    alike = [other for other in others if other.rpartition("__")[2] == field]
    return [field] if field in alike else alike if len(alike) == 1 else []


def _content(name: str, plain: str, ours: Mapping[str, str]) -> str:
    if plain in ours:
        raise SettingsError(f"{name}: set it or {plain}, not both")
    try:
        content = _cleaned(Path(ours[name]).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        # The cause quotes the path, which may be the secret itself, put there by mistake.
        raise SettingsError(f"{name}: cannot read its file ({type(error).__name__})") from None
    if not content:
        raise SettingsError(f"{name}: its file is empty")
    return content

"""The template language as notifier offers it."""

from collections.abc import Callable, Mapping

import minijinja

from notifier.rendering.faults import FilterError, PartError, engine_fault, filter_fault
from notifier.rendering.filters import CLEANING, FILTERS, FORMATS
from notifier.rendering.formats import Formats
from notifier.rendering.limits import FUEL, MAX_PRINTED_CHARS, MAX_RICH_TAGS, MAX_SOURCE_BYTES
from notifier.rendering.values import Allowance, Value, printed

ESCAPED_PARTS = frozenset({"html", "mjml"})
_REMOVED_FILTERS = ("safe", "tojson", "pprint", "zip", "chain")
"""They print what is not escaped, or not for an attribute, or how Python shows a value; or they
double a list for nothing."""
_REMOVED_GLOBALS = ("debug", "namespace", "dict")
"""They show what is not the template's, or grow values from one round of a loop to the next."""


def environment(
    fuel: int = FUEL, finalizer: Callable[[object], str] | None = None
) -> minijinja.Environment:
    """Make an environment without templates: strict, bounded, and cut off from all else."""
    made = minijinja.Environment(
        fuel=fuel,
        undefined_behavior="strict",
        finalizer=printed if finalizer is None else finalizer,
        auto_escape_callback=_escaping,
        # Found nowhere: a part is whole by itself.
        path_join_callback=lambda _name, _parent: "",
        filters=FILTERS,
        debug=False,
        pycompat=False,
    )
    for name in _REMOVED_FILTERS:
        made.remove_filter(name)
    for name in _REMOVED_GLOBALS:
        made.remove_global(name)
    return made


class Engine:
    """Parts by name, read once. What was never published must not come here, but in a child."""

    def __init__(self, fuel: int = FUEL) -> None:
        self._environment = environment(fuel, self._printed)
        self._printing = _printing()
        self._sources: dict[str, str] = {}

    def add(self, name: str, source: str) -> None:
        """Read a part; the last segment of its name says what it is: `en/email/html`.

        Raises:
            PartError: it is too long, or not in the template language.
        """
        if len(source.encode(errors="replace")) > MAX_SOURCE_BYTES:
            words = f"longer than {MAX_SOURCE_BYTES // 1000} kB"
            raise PartError("too-long", words)
        try:
            self._environment.add_template(name, source)
        except minijinja.TemplateError as error:
            raise engine_fault(error, source) from None
        self._sources[name] = source

    def filled(self, name: str, data: Mapping[str, Value], formats: Formats) -> str:
        """Fill a part.

        Raises:
            PartError: it cannot be filled.
        """
        source = self._sources[name]
        cleaning = Allowance(MAX_RICH_TAGS, "the filter rich is given too many tags")
        self._printing = _printing()
        looked_up = {FORMATS: formats, CLEANING: cleaning}
        try:
            return self._environment.render_template(name, **data, **looked_up)
        except minijinja.TemplateError as error:
            raise engine_fault(error, source) from None
        except FilterError as fault:
            raise filter_fault(fault, source) from None
        except PartError:
            raise
        except Exception:  # noqa: BLE001  whatever comes of a call that the source makes
            raise PartError("filling", "it calls what cannot be called") from None

    def names(self, source: str) -> set[str]:
        """Return what a source reads, with its dots, but for what it sets itself."""
        offered = set(self._environment.globals)
        found = self._environment.undeclared_variables_in_str(source, nested=True)
        return {name for name in found if name.partition(".")[0] not in offered}

    def _printed(self, value: object) -> str:
        text = printed(value)
        self._printing.spend(len(text))
        return text


def _printing() -> Allowance:
    return Allowance(MAX_PRINTED_CHARS, "it prints too much")


def _escaping(name: str) -> str | None:
    return "html" if name.rpartition("/")[2] in ESCAPED_PARTS else None

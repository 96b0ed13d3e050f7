"""What a template asks of its variables: JSON Schema 2020-12, all that is wrong at once."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from notifier.content.template import VariableFault, Variables
from notifier.notification.model import JsonValue
from notifier.rendering.faults import PartError
from notifier.rendering.limits import MAX_DEPTH, MAX_SCHEMA_VALUES

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RESERVED = frozenset(
    {"recipient", "brand", "notification", "now", "unsubscribe_url", "preferences_url"}
)
"""What notifier itself offers; no variable can stand for it."""

_MAX_FAULTS = 100
_MAX_NAME_CHARS = 80
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_COMPOSING = ("allOf", "anyOf", "oneOf", "if", "$ref", "unevaluatedProperties")
_LIMITS: Mapping[str, str] = {
    "minimum": "must be at least {limit}",
    "maximum": "must be at most {limit}",
    "exclusiveMinimum": "must be more than {limit}",
    "exclusiveMaximum": "must be less than {limit}",
    "minLength": "must have at least {limit} characters",
    "maxLength": "must have at most {limit} characters",
    "minItems": "must have at least {limit} items",
    "maxItems": "must have at most {limit} items",
    "multipleOf": "must be a multiple of {multiple_of}",
    "type": "must be of type {types}",
    "format": "must be a {format}",
}
_WORDS: Mapping[str, str] = {
    "enum": "must be one of the values that the template allows",
    "const": "must be the value that the template asks for",
    "pattern": "must have the form that the template asks for",
    "uniqueItems": "must have no item twice",
    "falseSchema": "must not be there",
}


class Schema:
    """A schema, read once."""

    def __init__(self, schema: Mapping[str, JsonValue]) -> None:
        """Read it.

        Raises:
            PartError: it is no schema, or refers to what is not in it.
        """
        refuse_references(schema)
        _Unfolded(schema).refuse_growth()
        self._schema = closed(dict(schema))
        try:
            self._validator = jsonschema_rs.Draft202012Validator(
                self._schema,
                validate_formats=True,
                formats={"decimal": _is_decimal},
                pattern_options=jsonschema_rs.RegexOptions(),
                offline=True,
            )
        except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            raise PartError("schema", f"no JSON Schema 2020-12: {_first_line(error)}") from None

    def completed(self, variables: Variables) -> Variables | Sequence[VariableFault]:
        """Return the variables with defaults, what is optional as null; or all that is wrong."""
        given = _with_defaults(self._schema, dict(variables), depth=0)
        faults = list(_faults(self._validator, given))
        return faults[:_MAX_FAULTS] if faults else _with_nulls(self._schema, given, depth=0)

    def knows(self, name: str) -> bool:
        """Whether a dotted name may be a variable, as far as the schema says."""
        node: object = self._schema
        for part in name.split("."):
            if not isinstance(node, dict) or any(word in node for word in _COMPOSING):
                return True
            fields = node.get("properties", {})
            if part in fields:
                node = fields[part]
            elif node.get("additionalProperties") is not False:
                return node.get("type") in (None, "object", "array")
            else:
                return False
        return True

    @property
    def names(self) -> Sequence[str]:
        """The variables that it declares."""
        return list(_properties(self._schema))

    @property
    def required(self) -> Sequence[str]:
        """The variables that must be given."""
        wanted = self._schema.get("required", [])
        return [name for name in wanted if isinstance(name, str)]


def refuse_references(schema: object, depth: int = 1) -> None:
    """Refuse what would be fetched from elsewhere, before anything reads the schema.

    Raises:
        PartError: a reference leads out of the schema, or it is nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise PartError("schema", f"nested deeper than {MAX_DEPTH}")
    if isinstance(schema, Mapping):
        _refuse_outside(schema)
        for each in schema.values():
            refuse_references(each, depth + 1)
    elif isinstance(schema, list | tuple):
        for each in schema:
            refuse_references(each, depth + 1)


def _refuse_outside(node: Mapping[str, object]) -> None:
    for word in _REFERENCES:
        target = node.get(word)
        if isinstance(target, str) and not target.startswith("#/"):
            raise PartError("schema-reference", f"a {word} must begin with #/")
    if isinstance(node.get("$id"), str):
        raise PartError("schema-reference", "a schema has no $id here")
    dialect = node.get("$schema")
    if isinstance(dialect, str) and dialect.rstrip("#") != DIALECT:
        raise PartError("schema", f"$schema, if it is given, is {DIALECT}")


class _Unfolded:
    """A schema with each reference in the place of what it refers to, as values are held against.

    What refers to the same twice, again and again, takes twice as long with each step.
    """

    def __init__(self, schema: Mapping[str, JsonValue]) -> None:
        self._schema = schema
        self._sizes: dict[str, int | None] = {}

    def refuse_growth(self) -> None:
        try:
            size = self._size(self._schema)
        except RecursionError:
            size = MAX_SCHEMA_VALUES + 1
        if size > MAX_SCHEMA_VALUES:
            words = f"more than {MAX_SCHEMA_VALUES:,} values, references followed"
            raise PartError("schema", words)

    def _size(self, node: object) -> int:
        match node:
            case Mapping():
                own = [self._size(each) for each in node.values()]
                others = [self._referred(node[word]) for word in _REFERENCES if word in node]
                return 1 + sum(own) + sum(others)
            case list() | tuple():
                return 1 + sum(map(self._size, node))
            case _:
                return 1

    def _referred(self, target: object) -> int:
        if not isinstance(target, str):
            return 0
        if target not in self._sizes:
            self._sizes[target] = None
            self._sizes[target] = self._size(_at(self._schema, target))
        size = self._sizes[target]
        if size is None:
            raise PartError("schema-reference", "a reference leads back to where it stands")
        return size


def _at(schema: object, target: str) -> object:
    """Return what `#/a/b` refers to, nothing if there is no such thing."""
    node = schema
    for part in unquote(target).split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping):
            node = node.get(name)
        elif isinstance(node, list | tuple) and name.isdecimal() and int(name) < len(node):
            node = node[int(name)]
        else:
            return None
    return node


def closed(schema: dict[str, Any], *, is_top: bool = True) -> dict[str, Any]:
    """Return the schema with objects closed to what it does not name, unless it says otherwise."""
    made = dict(schema)
    if is_top:
        made.setdefault("type", "object")
    fields = _properties(made)
    if fields:
        made["properties"] = {name: _closed(each) for name, each in fields.items()}
    if isinstance(made.get("items"), dict):
        made["items"] = _closed(made["items"])
    if (is_top or fields) and not any(word in made for word in _COMPOSING):
        made.setdefault("additionalProperties", False)
    return made


def _closed(node: Any) -> Any:
    return closed(node, is_top=False) if isinstance(node, dict) else node


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, Mapping) else {}


def _with_defaults(schema: Mapping[str, Any], given: dict[str, Any], depth: int) -> dict[str, Any]:
    made = dict(given)
    for name, field in _properties(schema).items():
        if not isinstance(field, Mapping) or depth > MAX_DEPTH:
            continue
        if name not in made and "default" in field:
            made[name] = field["default"]
        if isinstance(made.get(name), dict):
            made[name] = _with_defaults(field, made[name], depth + 1)
    return made


def _with_nulls(schema: Mapping[str, Any], given: dict[str, Any], depth: int) -> dict[str, Any]:
    made = dict(given)
    for name, field in _properties(schema).items():
        value = made.setdefault(name, None)
        if depth > MAX_DEPTH or not isinstance(field, Mapping):
            continue
        if isinstance(value, dict):
            made[name] = _with_nulls(field, value, depth + 1)
        elif isinstance(value, list) and isinstance(field.get("items"), Mapping):
            made[name] = [_completed_item(field["items"], each, depth + 1) for each in value]
    return made


def _completed_item(schema: Mapping[str, Any], item: Any, depth: int) -> Any:
    return _with_nulls(schema, item, depth) if isinstance(item, dict) else item


def _faults(
    validator: jsonschema_rs.Draft202012Validator, given: dict[str, Any]
) -> Iterator[VariableFault]:
    try:
        for count, error in enumerate(validator.iter_errors(given)):
            if count >= _MAX_FAULTS:
                return
            yield from _told(error)
    except (ValueError, RecursionError):
        yield VariableFault((), "cannot be compared with the template's schema")


def _told(error: jsonschema_rs.ValidationError) -> Iterator[VariableFault]:
    path, kind = tuple(error.instance_path), error.kind.name
    about = error.kind.as_dict()
    if kind == "required":
        yield VariableFault((*path, _short(about["property"])), "is missing")
    elif kind in ("additionalProperties", "unevaluatedProperties"):
        for name in about["unexpected"]:
            yield VariableFault((*path, _short(name)), "is not known to the template")
    elif kind in _LIMITS:
        shown = {name: _shown(value) for name, value in about.items()}
        yield VariableFault(path, _LIMITS[kind].format(**shown))
    else:
        yield VariableFault(path, _WORDS.get(kind, f"does not meet the schema's {kind}"))


def _shown(value: object) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)


def _short(name: str) -> str:
    return name[:_MAX_NAME_CHARS]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]


def _is_decimal(value: object) -> bool:
    try:
        return isinstance(value, str) and Decimal(value).is_finite()
    except InvalidOperation:
        return False

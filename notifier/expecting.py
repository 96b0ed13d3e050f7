"""What a model expected of a value that it refuses, in the words of all our errors."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, core_schema

_Context: TypeAlias = Mapping[str, Any]
_VALUE_ERROR: Final = "Value error, "
_QUOTED: Final = re.compile("'([^']*)'")
_WORDS: Final[Mapping[str, str]] = {
    "extra_forbidden": "unknown field",
    "missing": "this field is required",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
    "dict_type": "expected an object",
    "list_type": "expected an array",
    "tuple_type": "expected an array",
    "string_type": "expected a string",
    "string_sub_type": "expected a string",
    "string_unicode": "expected a string",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_parsing_size": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
}


def _one_of(context: _Context) -> str:
    return f"expected one of {', '.join(_QUOTED.findall(context['expected']))}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


_MADE: Final[Mapping[str, Callable[[_Context], str]]] = {
    "literal_error": _one_of,
    "enum": _one_of,
    "string_too_short": lambda it: f"expected {_counted(it['min_length'], 'character')} or more",
    "string_too_long": lambda it: f"expected {_counted(it['max_length'], 'character')} at most",
    "too_short": lambda it: f"expected {_counted(it['min_length'], 'item')} or more",
    "too_long": lambda it: f"expected {_counted(it['max_length'], 'item')} at most",
    "greater_than": lambda it: f"expected a number greater than {it['gt']:g}",
    "greater_than_equal": lambda it: f"expected {it['ge']:g} or more",
    "less_than": lambda it: f"expected a number less than {it['lt']:g}",
    "less_than_equal": lambda it: f"expected {it['le']:g} at most",
    "string_pattern_mismatch": lambda it: f"expected what matches {it['pattern']}",
}


def expected(error: ErrorDetails) -> str:
    """Say what is wrong with a value, and never repeat it."""
    if made := _MADE.get(error["type"]):
        return made(error["ctx"])
    return _WORDS.get(error["type"], error["msg"].removeprefix(_VALUE_ERROR))


class WrittenAs:
    """That a text has to match a pattern, of the JSON Schema as well; `words` say so to people."""

    def __init__(self, pattern: str, words: str) -> None:
        self.pattern = pattern
        self.words = words
        # Python's $ lets a line end behind it through.
        self._whole = re.compile(pattern.removesuffix("$"))

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self.pattern}

    def checked(self, text: str) -> str:
        """Return `text`.

        Raises:
            ValueError: it does not match.
        """
        if not self._whole.fullmatch(text):
            raise ValueError(self.words)
        return text

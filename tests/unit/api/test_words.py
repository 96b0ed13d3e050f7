"""Whatever is wrong with a request is said in words of ours."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

import notifier.api
from notifier.api.kit.checking import read_model
from notifier.api.kit.querying import QueryModel
from notifier.api.kit.views import View

WRONG: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    10**12,
    1.5,
    "",
    " ",
    "\n",
    "x" * 300_000,
    [],
    {},
    [None] * 20_000,
    {"?" * 300: None},
)


def modules() -> Iterator[ModuleType]:
    for each in pkgutil.walk_packages(notifier.api.__path__, "notifier.api."):
        yield importlib.import_module(each.name)


REQUESTS = [
    model
    for module in modules()
    for model in vars(module).values()
    if isinstance(model, type)
    and issubclass(model, BaseModel)
    and not issubclass(model, View)
    and model.__module__ == module.__name__
]


def filled(schema: Mapping[str, Any], root: Mapping[str, Any], value: object) -> object:
    """Return what has the shape of a schema, with `value` wherever there is no other below."""
    if ref := schema.get("$ref"):
        return filled(root["$defs"][ref.rpartition("/")[2]], root, value)
    if any_of := schema.get("anyOf"):
        return filled(any_of[0], root, value)
    if properties := schema.get("properties"):
        return {name: filled(each, root, value) for name, each in properties.items()}
    if isinstance(more := schema.get("additionalProperties"), dict):
        return {"?": filled(more, root, value), "email": filled(more, root, value)}
    if isinstance(items := schema.get("items"), dict):
        return [filled(items, root, value)]
    return value


@pytest.mark.parametrize("model", REQUESTS, ids=lambda model: model.__name__)
def test_no_request_is_refused_in_words_of_a_library(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    # All that can be in a query string is text.
    wrong = [each for each in WRONG if isinstance(each, str) or not issubclass(model, QueryModel)]
    shapes = [filled(schema, schema, value) for value in wrong]
    flat = [dict.fromkeys((*schema.get("properties", ()), "?"), value) for value in wrong]
    for value in (*wrong, *shapes, *flat, {}):
        read = read_model(model, value)
        for each in read if isinstance(read, list) else []:
            assert "should" not in each.detail, each
            assert not each.detail.startswith(("Input", "Field", "Value", "Unable")), each
            assert "\n" not in each.detail

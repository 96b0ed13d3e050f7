"""Checking values against models: all that is wrong at once.

Bodies are parsed by `notifier.api.kit.body` first, so models see plain JSON values. Checks that
need more than one field sit on the later field and are silent when an earlier one is wrong.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from notifier.api.kit.body import Path, is_plainly_storable, pointer, unstorable
from notifier.api.kit.problems import InvalidField
from notifier.expecting import expected
from notifier.notification.model import JsonValue

MAX_ERRORS = 100
_MAX_LISTED = 1_000
_MAX_NAME = 200
Model = TypeVar("Model", bound=BaseModel)


def read_strictly(
    model: type[Model],
    value: JsonValue,
    *,
    path: Path = (),
    context: Mapping[str, object] | None = None,
) -> Model | list[InvalidField]:
    """Check `value`, found at `path` of the body; what is wrong with it otherwise.

    That is all of it, or the first `MAX_ERRORS`.
    """
    wrong = [] if is_plainly_storable(value) else list(islice(unstorable(value, path), MAX_ERRORS))
    checked = read_model(model, value, path=path, context=context)
    if not isinstance(checked, list):
        return wrong or checked
    known = {each.where for each in wrong}
    return wrong + [each for each in checked if each.where not in known]


def read_model(
    model: type[Model],
    value: object,
    *,
    path: Path = (),
    context: Mapping[str, object] | None = None,
    are_parameters: bool = False,
) -> Model | list[InvalidField]:
    """Check `value` against `model`; all that is wrong with it, or a part of it, otherwise."""
    try:
        return model.model_validate(value, context=dict(context or {}))
    except ValidationError as error:
        if error.error_count() > _MAX_LISTED:
            return [InvalidField(pointer(path), f"{error.error_count()} things are wrong with it")]
        errors = error.errors(include_url=False, include_input=False)
        found = _invalid_fields(errors[:MAX_ERRORS], path, are_parameters=are_parameters)
        return list(found)


def _invalid_fields(
    errors: Iterable[ErrorDetails], path: Path, *, are_parameters: bool
) -> Iterable[InvalidField]:
    for error in errors:
        # Names of dict keys are reported one level below the key, as [key].
        location = tuple(
            part if isinstance(part, int) else part[:_MAX_NAME]
            for part in error["loc"]
            if part != "[key]"
        )
        detail = expected(error)
        if are_parameters:
            yield InvalidField(".".join(map(str, location)), detail, is_parameter=True)
        else:
            yield InvalidField(pointer((*path, *location)), detail)

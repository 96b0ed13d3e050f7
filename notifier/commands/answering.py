"""Commands that return what they have to say: each takes --json, and keeps stdout to itself."""

import inspect
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, Any, ParamSpec, TypeAlias

import structlog
import typer

from notifier.commands.calling import RefusedError
from notifier.commands.failing import exit_code_of, words_of
from notifier.commands.showing import Answer, Answers, give, json_text
from notifier.errors import NotifierError

P = ParamSpec("P")

Steps: TypeAlias = Generator[Answer, None, bool]
"""Says what it does, and at its end whether all went well."""

_AS_JSON = inspect.Parameter(
    "as_json",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[bool, typer.Option("--json", help="As JSON, for programs.")],
)


def answering(command: Callable[P, Answers]) -> Callable[..., None]:
    """Make a command of a function: what it returns is printed in words, or with --json as JSON.

    stdout has nothing but that: what is logged meanwhile goes to stderr. With --json an error is
    told there as JSON too.
    """
    own = inspect.signature(command)

    @wraps(command)
    def run(*arguments: Any, as_json: bool, **named: Any) -> None:
        try:
            with logging_aside():
                give(command(*arguments, **named), as_json=as_json)
        except NotifierError as error:
            if not as_json:
                raise
            raise typer.Exit(_fail(error)) from None

    run.__signature__ = own.replace(  # type: ignore[attr-defined]  # what typer reads
        parameters=[*own.parameters.values(), _AS_JSON], return_annotation=None
    )
    return run


@contextmanager
def logging_aside() -> Iterator[None]:
    """Let what is logged go to stderr."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(sys.stderr))
    try:
        yield
    finally:
        structlog.configure(**before)


def finish(steps: Iterable[Steps]) -> Iterator[Answer]:
    """Do each, whatever becomes of the others; exit code 1 if anything went wrong."""
    is_right = True
    for each in steps:
        is_right &= yield from each
    if not is_right:
        raise typer.Exit(1)


def _fail(error: NotifierError) -> int:
    exit_code = exit_code_of(error)
    told: dict[str, object] = {"error": words_of(error), "exit_code": exit_code}
    if isinstance(error, RefusedError):
        told["problem"] = error.problem
    print(json_text(told, indented=False), file=sys.stderr)  # noqa: T201  the command's output
    return exit_code

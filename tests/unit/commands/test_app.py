import inspect
import subprocess
import sys

import pytest

from notifier.commands.app import COMMANDS, command

_WHAT_IS_IMPORTED = "import sys, notifier.commands.app; print(*sys.modules)"
_HEAVY = {"alembic", "aio_pika", "pika", "pydantic", "sqlalchemy", "starlette", "structlog"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_it_says_of_itself(name: str) -> None:
    first, _, _ = inspect.cleandoc(command(name).help).partition("\n\n")

    assert " ".join(first.split()) == COMMANDS[name].help


def test_a_list_of_commands_needs_none_of_what_they_do() -> None:
    listed = subprocess.run(
        [sys.executable, "-c", _WHAT_IS_IMPORTED], capture_output=True, check=True, text=True
    )

    assert _HEAVY.isdisjoint(listed.stdout.split())

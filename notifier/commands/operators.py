"""People who sign in to the console."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Final, TypeAlias

import typer

from notifier.access.invitations import Invitations
from notifier.access.operators import GRANTS, MAX_LOGIN_CHARS, Operator, Role, is_login
from notifier.access.passwords import MAX_CHARS, Passwords, flaw_of
from notifier.api.console.layout import CONSOLE
from notifier.api.console.welcoming import WELCOME
from notifier.commands.answering import answering
from notifier.commands.checking import check_service
from notifier.commands.showing import Answer, alone, table, told
from notifier.composition.resources import open_stores
from notifier.composition.stores import Stores
from notifier.errors import SettingsError
from notifier.settings.groups import KeySettings

group = typer.Typer(help="People who sign in to the console.", no_args_is_help=True)

_COLUMNS: Final = ("login", "role", "service", "sees", "state", "added")
_SESSION: Final = ("login", "began", "used", "source", "agent")
_HELP = "; ".join(f"{role}: {grant.words}" for role, grant in GRANTS.items())

Login: TypeAlias = Annotated[str, typer.Argument(help="Their login, such as anna.")]
OfRole: TypeAlias = Annotated[Role, typer.Option(help=_HELP)]
OfService: TypeAlias = Annotated[
    str, typer.Option(help="The service whose notifications they see; theirs is what they make.")
]
EveryService: TypeAlias = Annotated[
    bool, typer.Option("--every-service", help="They see every service; an admin does anyway.")
]
FromStdin: TypeAlias = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin, for scripts.")
]
InviteAt: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--invite-at",
        metavar="URL",
        help="Ask for no password: print a link below this URL, where the API is, by which they "
        "set it themselves within a day.",
    ),
]


@group.command("list")
@answering
def list_operators() -> Answer:
    """List operators: what they may, and whether they are let in."""

    async def read() -> list[Mapping[str, object]]:
        async with _stores() as stores:
            return [_row(each) for each in await stores.operators.list()]

    return table(_COLUMNS, asyncio.run(read()))


@group.command()
@answering
def add(
    login: Login,
    role: OfRole,
    service: OfService,
    *,
    every_service: EveryService = False,
    password_stdin: FromStdin = False,
    invite_at: InviteAt = None,
) -> Answer:
    """Add an operator, with a password that is asked for, or a link to set one."""
    check_service(service)
    if not is_login(login):
        raise SettingsError(
            "a login is of small letters and digits, with . _ - within, "
            f"and at most {MAX_LOGIN_CHARS} characters"
        )
    password = None if invite_at else _asked(login, from_stdin=password_stdin)
    asyncio.run(_add(login, role, service, password, every_service=every_service))
    link = _link(login, invite_at) if invite_at else None
    return Answer(
        value={"login": login, "role": role, "service": service, "link": link},
        words=[f"Added {login}, {role}.", *([link] if link else ())],
    )


@group.command()
@answering
def assign(
    login: Login, role: OfRole, service: OfService, *, every_service: EveryService = False
) -> Answer:
    """Give an operator another role or service, from their next request on."""
    check_service(service)

    async def change(stores: Stores) -> bool:
        return await stores.operators.assign(login, role, service, sees_every_service=every_service)

    _do(change)
    return told(f"{login} is {role} now.", login=login, role=role, service=service)


@group.command()
@answering
def password(login: Login, *, password_stdin: FromStdin = False) -> Answer:
    """Set an operator's password, and sign them out everywhere."""
    given = _asked(login, from_stdin=password_stdin)

    async def change(stores: Stores) -> bool:
        return await stores.operators.set_password(login, await Passwords().hashed(given))

    _do(change)
    return told(f"Set the password of {login}.", login=login)


@group.command()
@answering
def invite(
    login: Login,
    at: Annotated[str, typer.Option(metavar="URL", help="Where the API is.")],
) -> Answer:
    """Print a link, alone, by which an operator sets a password, once and within a day."""
    return alone("link", _link(login, at))


@group.command()
@answering
def disable(login: Login) -> Answer:
    """Let an operator in no longer, and sign them out everywhere."""
    _do(lambda stores: stores.operators.disable(login))
    return told(f"{login} is let in no longer.", login=login, state="disabled")


@group.command()
@answering
def enable(login: Login) -> Answer:
    """Let an operator in again."""
    _do(lambda stores: stores.operators.enable(login))
    return told(f"{login} is let in again.", login=login, state="enabled")


@group.command()
@answering
def remove(login: Login) -> Answer:
    """Remove an operator. What they did stays in the audit log."""
    _do(lambda stores: stores.operators.remove(login))
    return told(f"Removed {login}.", login=login)


@group.command()
@answering
def sessions(login: Login) -> Answer:
    """List where an operator is signed in."""

    async def read() -> list[Mapping[str, object]]:
        async with _stores() as stores:
            found = await stores.sessions.list(login=login)
        return [
            {
                "login": it.login,
                "began": it.began_at,
                "used": it.used_at,
                "source": it.source,
                "agent": it.agent,
            }
            for it in found
        ]

    return table(_SESSION, asyncio.run(read()))


@group.command("sign-out")
@answering
def sign_out(login: Login) -> Answer:
    """Sign an operator out everywhere."""

    async def end() -> int:
        async with _stores() as stores:
            return await stores.sessions.end_all(login=login)

    ended = asyncio.run(end())
    return told(f"Ended {ended} of {login}'s sessions.", login=login, ended=ended)


async def _add(
    login: str, role: Role, service: str, password: str | None, *, every_service: bool
) -> None:
    async with _stores() as stores:
        operator = Operator(
            login=login,
            role=role,
            service=service,
            sees_every_service=every_service,
            password=await Passwords().hashed(password) if password else None,
            created_at=stores.clock.now(),
        )
        if not await stores.operators.add(operator):
            raise SettingsError(f"somebody is called {login!r} already; see notifier operators")


def _link(login: str, at: str) -> str:
    settings = KeySettings.from_env(os.environ)
    invitations = Invitations(settings.key_pepper.get_secret_value().encode())

    async def make() -> str:
        async with open_stores(settings) as stores:
            await stores.clock.measure()
            operator = await stores.operators.find(login)
            if operator is None:
                raise _unknown()
            return invitations.token(operator, stores.clock.now())

    return f"{at.rstrip('/')}{CONSOLE}{WELCOME}?token={asyncio.run(make())}"


def _do(change: Callable[[Stores], Awaitable[bool]]) -> None:
    async def work() -> bool:
        async with _stores() as stores:
            return await change(stores)

    if not asyncio.run(work()):
        raise _unknown()


@asynccontextmanager
async def _stores() -> AsyncIterator[Stores]:
    async with open_stores(KeySettings.from_env(os.environ)) as stores:
        await stores.clock.measure()
        yield stores


def _asked(login: str, *, from_stdin: bool) -> str:
    """Return the password that somebody gives.

    Raises:
        SettingsError: there is nobody to ask, or it may be none.
    """
    if from_stdin:
        given = sys.stdin.readline(MAX_CHARS + 2).rstrip("\r\n")
    elif sys.stdin.isatty():
        given = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        raise SettingsError("give the password with --password-stdin, or run this on a terminal")
    if flaw := flaw_of(given, login):
        raise SettingsError(f"the password: {flaw}")
    return str(given)


def _unknown() -> SettingsError:
    return SettingsError("there is no operator of this login; see notifier operators list")


def _row(it: Operator) -> Mapping[str, object]:
    return {
        "login": it.login,
        "role": it.role.value,
        "service": it.service,
        "sees": it.sees or "every service",
        "state": "disabled" if it.disabled_at else "active" if it.password else "invited",
        "added": it.created_at,
    }

"""Signing in: whom a password opens the door to, and who has to wait."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from argon2 import PasswordHasher

from notifier.access.operators import Operator, Role
from notifier.access.passwords import Passwords
from notifier.access.signing_in import PasswordDesk, Turned
from notifier.access.throttling import MOST, Attempt, Count, Devices, Throttle

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
CHEAPER = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
STRANGER = Attempt(login="anna", network="192.0.2.1", device=None)
HERSELF = Attempt(login="anna", network="192.0.2.1", device="a device")
PEPPER = b"a pepper"


class Failures:
    """Counts in one window."""

    def __init__(self) -> None:
        self.counts_by_name: Counter[str] = Counter()

    async def count(self, names: Sequence[str]) -> Sequence[int]:
        self.counts_by_name.update(names)
        return [self.counts_by_name[name] for name in names]

    async def counts(self, names: Sequence[str]) -> Sequence[int]:
        return [self.counts_by_name[name] for name in names]

    async def forgive(self, names: Sequence[str]) -> None:
        self.counts_by_name.subtract(names)

    async def purge(self) -> int:
        return 0


class Rehashed:
    """Operators whose passwords are kept anew."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def rehash(self, login: str, kept: str) -> bool:
        self.kept[login] = kept
        return True


async def anna(**changes: Any) -> Operator:
    kept = await Passwords(CHEAP).hashed(PASSWORD)
    made = datetime(2026, 1, 1, tzinfo=UTC)
    usual = Operator(
        login="anna", role=Role.VIEWER, service="orders", password=kept, created_at=made
    )
    return replace(usual, **changes)


def desk(failures: Failures, operators: Any = None, hasher: PasswordHasher = CHEAP) -> PasswordDesk:
    throttle = Throttle(failures, PEPPER)
    return PasswordDesk(operators=operators, passwords=Passwords(hasher), throttle=throttle)


async def test_the_right_password_is_let_in_and_does_not_count() -> None:
    failures, operator = Failures(), await anna()

    for _ in range(3 * MOST[Count.LOGIN]):
        assert await desk(failures).admit(STRANGER, operator, PASSWORD) is operator

    assert not +failures.counts_by_name


@pytest.mark.parametrize(
    "changes", [{}, {"password": None}, {"disabled_at": datetime(2026, 2, 1, tzinfo=UTC)}]
)
async def test_all_others_are_answered_the_same(changes: dict[str, Any]) -> None:
    operator = await anna(**changes)
    tried = PASSWORD if changes else f"{PASSWORD}!"

    assert await desk(Failures()).admit(STRANGER, operator, tried) is Turned.WRONG
    assert await desk(Failures()).admit(STRANGER, None, PASSWORD) is Turned.WRONG


async def test_a_login_that_strangers_guess_at_stays_open_to_the_browser_that_is_known() -> None:
    failures, operator = Failures(), await anna()
    at = desk(failures)

    guessed = [
        await at.admit(replace(STRANGER, network=f"192.0.2.{n}"), operator, "a guess")
        for n in range(MOST[Count.LOGIN] + 1)
    ]

    assert guessed == [*[Turned.WRONG] * MOST[Count.LOGIN], Turned.TOO_OFTEN]
    assert await at.admit(STRANGER, operator, PASSWORD) is Turned.TOO_OFTEN
    assert await at.admit(HERSELF, operator, PASSWORD) is operator


async def test_a_network_that_tries_many_logins_has_to_wait() -> None:
    at, most = desk(Failures()), MOST[Count.NETWORK]

    tried = [
        await at.admit(replace(STRANGER, login=f"anna{n}"), None, "a guess")
        for n in range(most + 1)
    ]

    assert tried == [*[Turned.WRONG] * most, Turned.TOO_OFTEN]


async def test_a_known_browser_has_no_more_guesses_than_a_stranger() -> None:
    at, operator, most = desk(Failures()), await anna(), MOST[Count.DEVICE]

    tried = [await at.admit(HERSELF, operator, "a guess") for _ in range(most + 1)]

    assert tried[-1] is Turned.TOO_OFTEN


async def test_what_is_counted_does_not_tell_what_somebody_typed() -> None:
    failures = Failures()

    await desk(failures).admit(STRANGER, None, "a guess")

    assert len(failures.counts_by_name) == 2
    assert not any("anna" in name or "192.0.2.1" in name for name in failures.counts_by_name)


async def test_a_password_is_kept_anew_when_todays_parameters_are_others() -> None:
    operators, operator = Rehashed(), await anna()
    assert operator.password

    await desk(Failures(), operators, CHEAPER).admit(STRANGER, operator, PASSWORD)

    assert await Passwords(CHEAPER).matches(PASSWORD, operators.kept["anna"])
    assert not Passwords(CHEAPER).is_outdated(operators.kept["anna"])


def test_a_browser_is_known_for_whom_it_was_given_a_cookie() -> None:
    devices = Devices(PEPPER)
    cookie = devices.cookie("anna")
    device = devices.device(cookie, "anna")

    assert device
    assert devices.device(devices.cookie("anna", device), "anna") == device
    assert devices.device(cookie, "ben") is None
    assert devices.device(devices.cookie("anna"), "anna") != device
    assert devices.device("", "anna") is None
    assert Devices(b"another pepper").device(cookie, "anna") is None

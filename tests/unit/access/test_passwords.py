"""Passwords: what may be one, and how it is kept."""

import pytest
from argon2 import PasswordHasher

from notifier.access.passwords import MAX_CHARS, Passwords, flaw_of

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.mark.parametrize(
    "password", ["correct horse battery", "x3.kdi29dkdw", "Zwölf Boxkämpfer jagen", "abcdef" * 20]
)
def test_what_is_long_enough_may_be_a_password(password: str) -> None:
    assert flaw_of(password, "anna") is None


@pytest.mark.parametrize(
    "password", ["", "elevenchars", "x" * 40, "abab" * 5, "123451234512345", "annas password!"]
)
def test_what_is_guessed_early_may_not(password: str) -> None:
    assert flaw_of(password, "anna") is not None


def test_a_password_has_an_end() -> None:
    assert flaw_of("abcdefgh" * (MAX_CHARS // 8), "anna") is None
    assert flaw_of("abcdefgh" * (MAX_CHARS // 8) + "i", "anna") is not None


async def test_a_password_matches_what_was_kept_of_it_and_nothing_else_does() -> None:
    passwords = Passwords(CHEAP)
    kept = await passwords.hashed("correct horse battery")

    assert "correct" not in kept
    assert kept != await passwords.hashed("correct horse battery")
    assert await passwords.matches("correct horse battery", kept)
    assert not await passwords.matches("correct horse batterx", kept)
    assert not await passwords.matches("correct horse battery", None)
    assert not await passwords.matches("correct horse battery", "no hash")


async def test_a_letter_is_the_same_however_a_keyboard_composes_it() -> None:
    passwords = Passwords(CHEAP)

    assert await passwords.matches("Boxka\u0308mpfer", await passwords.hashed("Boxk\u00e4mpfer"))


async def test_what_is_kept_is_made_by_argon2id_as_the_rfc_recommends() -> None:
    kept = await Passwords().hashed("correct horse battery")

    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert not Passwords().is_outdated(kept)
    assert Passwords(CHEAP).is_outdated(kept)

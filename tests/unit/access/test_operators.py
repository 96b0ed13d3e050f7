"""Operators: what roles allow, and who may be called what."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from notifier.access.keys import SCOPES
from notifier.access.operators import GRANTS, Operator, Role, is_login

ANNA = Operator(
    login="anna", role=Role.VIEWER, service="orders", created_at=datetime(2026, 1, 1, tzinfo=UTC)
)


def test_each_role_allows_something_that_keys_know() -> None:
    assert GRANTS.keys() == set(Role)
    assert all({"read"} <= grant.scopes <= set(SCOPES) for grant in GRANTS.values())


def test_who_only_looks_or_writes_sees_nothing_that_is_said_to_people() -> None:
    sees = {role for role, grant in GRANTS.items() if grant.sees_content}

    assert sees == {Role.OPERATOR, Role.ADMIN}


def test_an_admin_alone_has_every_scope() -> None:
    assert [role for role in Role if "admin" in GRANTS[role].scopes] == [Role.ADMIN]
    assert GRANTS[Role.ADMIN].scopes == set(SCOPES)


@pytest.mark.parametrize(
    ("role", "every", "sees"),
    [
        (Role.VIEWER, False, "orders"),
        (Role.VIEWER, True, None),
        (Role.ADMIN, False, None),
    ],
)
def test_an_operator_sees_their_service_or_every_one_and_an_admin_always_all(
    role: Role, *, every: bool, sees: str | None
) -> None:
    assert replace(ANNA, role=role, sees_every_service=every).sees == sees


@pytest.mark.parametrize("text", ["a", "anna", "anna.b_c-2", "0", "x" * 64])
def test_a_login_is_of_small_letters_and_digits(text: str) -> None:
    assert is_login(text)


@pytest.mark.parametrize(
    "text", ["", "Anna", "anna@example.com", ".a", "a b", "a/b", "a\n", "x" * 65, "\u00e4nna"]
)
def test_what_could_be_an_address_or_misread_is_no_login(text: str) -> None:
    assert not is_login(text)


def test_a_password_is_in_no_repr() -> None:
    assert "a hash" not in repr(replace(ANNA, password="a hash"))

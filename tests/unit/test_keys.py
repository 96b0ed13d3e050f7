import pytest

from notifier.keys import implied_scopes, mint, parse

PEPPER = b"a pepper that only the server knows"


def test_a_minted_key_parses_to_itself() -> None:
    key = mint()

    assert parse(key.text) == key


def test_no_two_minted_keys_share_an_id_or_a_secret() -> None:
    keys = [mint() for _ in range(200)]

    assert len({key.id for key in keys}) == 200
    assert len({key.text.rsplit("_", 1)[1] for key in keys}) == 200


def test_a_key_matches_its_own_digest_under_the_same_pepper_only() -> None:
    key = mint()
    digest = key.digest(PEPPER)

    assert key.matches(digest, PEPPER)
    assert not key.matches(digest, b"another pepper")
    assert not mint().matches(digest, PEPPER)


def test_neither_the_digest_nor_the_repr_holds_the_secret() -> None:
    key = mint()
    secret = key.text.rsplit("_", 1)[1]

    assert secret not in key.digest(PEPPER)
    assert secret not in repr(key)


GOOD = f"ntf_{'a' * 16}_{'b' * 43}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ntf_",
        "ntf__",
        GOOD[:-1],
        GOOD + "x",
        GOOD + "\n",
        GOOD.replace("ntf_", "sk_"),
        GOOD[:-1] + "\N{LATIN SMALL LETTER E WITH ACUTE}",
    ],
)
def test_what_is_not_exactly_a_key_does_not_parse(text: str) -> None:
    assert parse(GOOD) is not None

    assert parse(text) is None


def test_admin_implies_the_other_scopes_and_they_imply_nothing() -> None:
    assert implied_scopes(frozenset({"admin"})) == {"send", "read", "admin"}
    assert implied_scopes(frozenset({"send"})) == {"send"}

import pytest

from notifier.access.keys import SCOPES, implied_scopes, is_service_name, mint, parse
from notifier.commands.keys import create_key
from notifier.errors import SettingsError
from notifier.settings.groups import KeySettings

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
    assert implied_scopes(frozenset({"admin"})) == set(SCOPES)
    assert implied_scopes(frozenset({"send"})) == {"send"}


@pytest.mark.parametrize("name", ["orders", "Orders (EU)", "a", "x" * 100, "Café"])
def test_a_name_that_can_be_shown_is_a_services(name: str) -> None:
    assert is_service_name(name)


@pytest.mark.parametrize(
    "name", ["", " ", "a\nb", "a\r", "\tb", "a\x00", "a\x1b[31m", "a\u2028b", " a", "a ", "x" * 101]
)
async def test_what_would_break_a_log_or_a_table_is_no_services_name(name: str) -> None:
    assert not is_service_name(name)
    settings = KeySettings.from_env(
        {
            "NOTIFIER_DATABASE_URL": "sqlite:////nowhere/notifier.db",
            "NOTIFIER_KEY_PEPPER": "x" * 32,
        }
    )
    with pytest.raises(SettingsError, match="name of a service"):
        await create_key(settings, name, ["send"], None)

"""What keeps notifier from its database is told in words, in one line and without a secret."""

import pytest
from sqlalchemy import make_url

from notifier.errors import StoreUnavailableError
from tests.contract.store.stores import open_stores

SECRET = "canary-493021"


@pytest.mark.parametrize(
    ("changes", "query", "told"),
    [
        ({"database": "nosuch"}, "", "there is no such database"),
        ({"password": SECRET}, "", "the password is wrong"),
        ({"username": "nobody"}, "", "the password is wrong"),
        ({"port": 1}, "", "nothing listens at its address"),
        ({"host": "no.such.host.invalid"}, "", "its host's name is not known"),
        ({}, "?sslmode=require", "it offers no TLS"),
        ({}, "?target_session_attrs=standby", "no host is of the kind"),
        ({}, "?host=/no/such/folder", "there is no such socket"),
    ],
)
async def test_why_the_database_is_away_is_told(
    changes: dict[str, str | int], query: str, told: str, postgres_store_url: str
) -> None:
    there = make_url(postgres_store_url).set(**changes)  # type: ignore[arg-type]  # as various
    url = there.render_as_string(hide_password=False) + query

    async with open_stores(url) as stores:
        with pytest.raises(StoreUnavailableError) as caught:
            await stores.queries.ping()

    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(make_url(postgres_store_url).password) not in str(caught.value)
    assert SECRET not in str(caught.value)

from itertools import count

import pytest

from notifier.store.kit.seals import Seals

OLD, NEW = b"the secret of last year", b"the secret of this year"
PLACE = b"a row"


def test_what_is_sealed_is_opened_and_does_not_say_what_it_is() -> None:
    seals = Seals([NEW])

    sealed = seals.sealed(PLACE, b"4711")

    assert b"4711" not in sealed.encode()
    assert seals.opened(PLACE, sealed) == b"4711"


def test_the_same_text_is_never_sealed_alike() -> None:
    seals = Seals([NEW])

    assert len({seals.sealed(PLACE, b"4711") for _ in range(100)}) == 100


def test_the_first_secret_seals_and_all_of_them_open() -> None:
    before, during, after = Seals([OLD]), Seals([NEW, OLD]), Seals([NEW])

    old, new = before.sealed(PLACE, b"old"), during.sealed(PLACE, b"new")

    assert (during.opened(PLACE, old), during.opened(PLACE, new)) == (b"old", b"new")
    assert (after.opened(PLACE, old), after.opened(PLACE, new)) == (None, b"new")


def test_what_is_sealed_for_one_place_is_not_opened_in_another() -> None:
    seals = Seals([NEW])

    assert seals.opened(b"another row", seals.sealed(PLACE, b"4711")) is None


@pytest.mark.parametrize(
    "changed",
    ["", "1", "1.", "2.{id}.{made}", "1.{id}.", "1.{id}.!", "1.{id}.AAAA{made}", "1.00.{made}"],
)
def test_what_was_changed_is_not_opened(changed: str) -> None:
    seals = Seals([NEW])
    _, id, made = seals.sealed(PLACE, b"4711").split(".")

    assert seals.opened(PLACE, changed.format(id=id, made=made)) is None


def test_chance_is_given_to_it() -> None:
    numbers = count(1)
    seals = Seals([NEW], random=lambda size: next(numbers).to_bytes(size, "big"))
    again = Seals([NEW], random=lambda size: (1).to_bytes(size, "big"))

    assert seals.sealed(PLACE, b"4711") == again.sealed(PLACE, b"4711")

from notifier.intake.turns import Turns


def taken(turns: Turns[int]) -> list[int]:
    return [turns.take() for _ in range(len(turns))]


def test_what_one_owner_has_waiting_goes_in_its_order() -> None:
    turns: Turns[int] = Turns()
    turns.put("a", [1, 2])
    turns.put("a", [3])

    assert taken(turns) == [1, 2, 3]
    assert (len(turns), turns.owners, turns.of("a")) == (0, 0, 0)


def test_owners_take_turns_whoever_came_first_and_however_much_waits() -> None:
    turns: Turns[int] = Turns()
    turns.put("a", [1, 2, 3, 4])
    turns.put("b", [10])
    turns.put("c", [20, 21])

    assert (turns.owners, turns.of("a"), turns.of("d")) == (3, 4, 0)
    assert taken(turns) == [1, 10, 20, 2, 21, 3, 4]


def test_who_comes_later_is_next_after_those_who_wait() -> None:
    turns: Turns[int] = Turns()
    turns.put("a", range(100))
    assert turns.take() == 0
    turns.put("b", [1_000])

    assert [turns.take() for _ in range(3)] == [1, 1_000, 2]


def test_what_is_over_is_forgotten_from_each_owners_start() -> None:
    turns: Turns[int] = Turns()
    turns.put("a", [1, 5, 2])
    turns.put("b", [1])

    turns.drop_while(lambda item: item < 3)

    assert turns.owners == 1
    assert taken(turns) == [5, 2]


def test_nothing_makes_no_owner() -> None:
    turns: Turns[int] = Turns()
    turns.put("a", [])

    assert turns.owners == 0

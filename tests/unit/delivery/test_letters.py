from notifier.delivery.letters import FEWER_FOR_S, MANY, REST, Letters


def swept(ready: int, removed: int = 0, at_s: float = 0, took_s: float = 1) -> Letters:
    letters = Letters()
    letters.are_news(ready, at_s)
    letters.swept(removed, at_s, took_s)
    return letters


def test_an_empty_queue_is_no_news_and_letters_found_at_the_start_are() -> None:
    assert not Letters().are_news(0, 0)
    assert Letters().are_news(1, 0)


def test_what_a_sweep_left_is_no_news_and_one_more_is() -> None:
    letters = swept(5, removed=2)

    assert not letters.are_news(3, 1)
    assert letters.are_news(4, 2)


def test_letters_that_another_relay_holds_and_gives_back_are_no_news() -> None:
    letters = swept(5)

    assert not letters.are_news(0, 1)
    assert not letters.are_news(5, 2)


def test_letters_that_come_after_others_were_moved_away_are_news_after_a_while() -> None:
    letters = swept(100)

    assert not letters.are_news(0, 1)
    assert not letters.are_news(3, 2)
    assert letters.are_news(3, 1 + FEWER_FOR_S)


def test_a_queue_of_many_letters_is_left_alone_for_many_times_what_a_sweep_takes() -> None:
    letters = swept(MANY + 1, took_s=2)

    assert not letters.are_news(MANY + 2, 2 * REST - 1)
    assert letters.are_news(MANY + 2, 2 * REST)


def test_what_was_forgotten_is_news() -> None:
    letters = swept(5)

    letters.forget()

    assert letters.are_news(5, 1)

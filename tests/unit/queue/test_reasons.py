from notifier.queue.rabbitmq.reasons import of_connecting


def test_errors_that_came_from_one_another_are_gone_through_once() -> None:
    first, second = OSError("first"), ConnectionRefusedError("second")
    first.__context__ = second
    second.args = (first,)

    assert "nothing listens" in of_connecting(first)
    second.__context__ = first
    assert "nothing listens" in of_connecting(second)


def test_an_error_of_no_known_kind_is_no_answer() -> None:
    error = RuntimeError("canary")
    error.args = (error,)

    assert of_connecting(error) == "it does not answer"

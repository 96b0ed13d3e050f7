"""Who was forgotten is named nowhere, and written to no more."""

from uuid import UUID

from tests.simulation.audience.erasing import about_erasures, note_traces, somebody
from tests.simulation.providers import Call
from tests.simulation.test_recurring import at

ID = UUID(int=5)
DONE = [{"id": ID.hex, "finished_at": at(50)}]


def test_somebody_is_looked_for_in_all_columns_of_all_tables() -> None:
    one = somebody(3.5, 0.25)
    one.erasure = ID
    named = {"id": "9", "said": f'{{"to": "{one.email}"}}', "raw": one.phone.encode(), "n": 3}

    note_traces([one], DONE, {"notes": [named, {"said": None}], "others": [{"said": "x"}]})

    assert one.traces == ["notes.raw", "notes.said"]
    assert list(about_erasures([one], [])) == [
        f"traces: {one.user_id} is named by notes.raw",
        f"traces: {one.user_id} is named by notes.said",
    ]


def test_nothing_goes_to_somebody_once_they_are_forgotten() -> None:
    one = somebody(3.5, 0.25)
    one.erasure = ID
    note_traces([one], DONE, {})
    before, after, other = (
        Call(ID, 1, "smtp", "worker", began_s, to, "x")
        for began_s, to in ((49.0, one.email), (51.0, one.phone), (51.0, "b@example.com"))
    )

    assert list(about_erasures([one], [before, other])) == []
    assert list(about_erasures([one], [after])) == [f"haunted: {ID} went to {one.user_id} at 51.00"]


def test_an_erasure_that_does_not_end_is_a_finding() -> None:
    one = somebody(3.5, 0.25)
    one.erasure = ID
    note_traces([one], [{"id": ID.hex, "finished_at": None}], {})

    assert [each.partition(":")[0] for each in about_erasures([one], [])] == ["unforgotten"]

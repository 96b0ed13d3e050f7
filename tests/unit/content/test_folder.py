import json
from dataclasses import replace
from typing import Any

import pytest

from notifier.content.folder import (
    DESCRIPTION,
    FileFinding,
    Standing,
    UnknownPartError,
    digest,
    document_of,
    files_of,
    in_file,
    is_part,
    standing,
)
from notifier.content.template import PART_NAMES, Finding, Severity
from notifier.notification.model import Channel


def a_document(**changes: Any) -> dict[str, Any]:
    return {
        "category": "bookings",
        "default_locale": "en",
        "schema": {"type": "object", "properties": {"b": {"type": "string"}, "a": {}}},
        "examples": [{"b": "Zoë"}],
        "parts": {
            "en": {"email": {"subject": "Hi {{ b }}", "text": "Hi\n", "mjml": "<mjml/>"}},
            "de-AT": {"sms": {"text": "Servus\r\n\n"}, "in_app": {"subject": "", "text": "x"}},
        },
        **changes,
    }


def test_a_content_becomes_files_and_comes_back_as_it_was() -> None:
    files = files_of(a_document())

    assert sorted(files) == [
        "de-AT/in_app.subject.txt",
        "de-AT/in_app.txt",
        "de-AT/sms.txt",
        "en/email.mjml",
        "en/email.subject.txt",
        "en/email.txt",
        DESCRIPTION,
    ]
    assert files["en/email.subject.txt"] == "Hi {{ b }}\n"
    assert document_of(files) == a_document()


def test_every_part_that_there_is_has_a_file_of_its_own() -> None:
    parts = {
        channel.value: {part: f"{channel} {part}" for part in names}
        for channel, names in PART_NAMES.items()
    }
    document = a_document(parts={"en": parts})

    assert document_of(files_of(document)) == document
    assert len(files_of(document)) == 1 + sum(map(len, PART_NAMES.values()))


def test_the_same_content_is_the_same_bytes() -> None:
    shuffled = dict(reversed(list(a_document().items())))
    shuffled["schema"] = json.loads(json.dumps(shuffled["schema"], sort_keys=True))

    assert list(files_of(shuffled).items()) == list(files_of(a_document()).items())
    assert digest(files_of(shuffled)) == digest(files_of(a_document()))
    assert digest(files_of(a_document(category="other"))) != digest(files_of(a_document()))


def test_texts_are_written_as_people_read_them() -> None:
    assert '"b": "Zoë"' in files_of(a_document())[DESCRIPTION]


def test_a_file_that_an_editor_left_without_a_last_line_break_is_the_same_part() -> None:
    files = {**files_of(a_document()), "en/email.subject.txt": "Hi {{ b }}"}

    assert document_of(files) == a_document()


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("en/email.subjct.txt", "x", "en/email.subjct.txt:1:1: error file-unknown"),
        ("en/notes/email.txt", "x", "en/notes/email.txt:1:1: error file-unknown"),
        ("english language/sms.txt", "x", "english language/sms.txt:1:1: error file-unknown"),
        (DESCRIPTION, '{\n  "a": }', "template.json:2:8: error file-json"),
        (DESCRIPTION, "[1]", "template.json:1:1: error file-json"),
        (DESCRIPTION, '{"parts": {}}', "template.json:1:1: error file-json"),
        (DESCRIPTION, "[" * 100_000, "template.json:1:1: error file-json"),
    ],
)
def test_what_is_no_file_of_a_template_is_told_with_its_place(
    path: str, text: str, told: str
) -> None:
    found = document_of({**files_of(a_document()), path: text})

    assert isinstance(found, list)
    assert [str(each)[: len(told)] for each in found] == [told]


def test_a_template_without_its_description_is_told_of() -> None:
    [found] = document_of({"en/sms.txt": "x"})

    assert isinstance(found, FileFinding)
    assert (found.path, found.code) == (DESCRIPTION, "file-missing")


def test_files_beside_the_description_are_somebody_elses() -> None:
    assert document_of({**files_of(a_document()), "README.md": "Ours"}) == a_document()


@pytest.mark.parametrize(
    "parts",
    [
        {"en": {"fax": {"text": "x"}}},
        {"en": {"sms": {"audio": "x"}}},
        {"../../etc": {"sms": {"text": "x"}}},
    ],
)
def test_parts_that_no_file_can_stand_for_are_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(UnknownPartError):
        files_of(a_document(parts=parts))


def test_a_finding_names_its_file() -> None:
    in_part = Finding(
        severity=Severity.WARNING,
        code="segments",
        detail="2 messages",
        locale="de",
        channel=Channel.SMS,
        part="text",
        line=3,
        column=7,
    )
    of_all = Finding(severity=Severity.ERROR, code="schema", detail="is none")

    assert str(in_file(in_part).within("t/otp")) == (
        "t/otp/de/sms.txt:3:7: warning segments 2 messages"
    )
    assert str(in_file(replace(in_part, partial="footer")).within("t/otp")).startswith(
        "t/footer/de/sms.txt:3:7: "
    )
    assert str(in_file(of_all)) == "template.json:1:1: error schema is none"


def test_only_files_of_parts_are_a_templates_to_remove() -> None:
    assert is_part("de-AT/sms.txt")
    assert not any(map(is_part, ("template.json", "README.md", "en/notes.txt", "x y/sms.txt")))


def test_who_changed_what_is_told_by_what_both_last_agreed_upon() -> None:
    old, new, other = ({"a": text} for text in ("old", "new", "other"))

    assert standing(new, new, None) is Standing.SAME
    assert standing(new, old, digest(old)) is Standing.CHANGED_HERE
    assert standing(old, new, digest(old)) is Standing.CHANGED_THERE
    assert standing(new, other, digest(old)) is Standing.CHANGED_BOTH
    assert standing(new, old, None) is Standing.CHANGED_BOTH
    assert standing(new, None, digest(old)) is Standing.ONLY_HERE
    assert standing(None, new, digest(old)) is Standing.ONLY_THERE

"""Whose fault SMTP servers say that it is."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.channels.email.replies import Phase, parse_reply, ruling
from notifier.channels.refusals.blame import Blame

Row = tuple[Phase, str, Blame]


def rows() -> list[Row]:
    lines = Path(__file__).with_name("replies.txt").read_text().splitlines()
    told = (line.split(maxsplit=2) for line in lines if line and not line.startswith("#"))
    return [
        (Phase(phase), reply.replace("\\n", "\n"), Blame(blame)) for phase, blame, reply in told
    ]


REPLIES = rows()
LEADING = 4


def judged(phase: Phase, reply: str) -> Blame:
    """What a reply is taken for, given with its code before each line."""
    text = "\n".join(line[LEADING:].strip() for line in reply.splitlines())
    return ruling(phase, parse_reply(int(reply[:3]), text)).blame


@pytest.mark.parametrize(("phase", "reply", "blame"), REPLIES)
def test_a_reply_of_a_real_server_blames(phase: Phase, reply: str, blame: Blame) -> None:
    assert judged(phase, reply) is blame


NAMES = (
    "relay", "quota", "spam", "sender", "blacklisted", "greylist", "rate-limit", "too-many",
    "authentication", "dmarc", "unknown.user", "mailbox-full", "5.1.1", "helo", "virus", "daily",
    "no-such-user", "try.again.later", "your-account", "spamhaus", "blocked",
)  # fmt: skip
names = st.sampled_from(NAMES)
domains = st.builds(
    "{}.{}".format,
    names.map(lambda name: name.replace(".", "-")),
    st.sampled_from(["example", "test", "co.example"]),
)
addresses = st.builds("{}@{}".format, names, domains)
quoted = st.builds('"{} {}"@{}'.format, names, names, domains)
spellings = st.one_of(
    addresses,
    quoted.map("<{}>".format),
    addresses.map("<{}>:".format),
    addresses.map("({})".format),
    addresses.map("'{}'...".format),
    addresses.map("mailto:{}".format),
    addresses.map(lambda address: f"id={address.replace('@', '%40')};r=1"),
    st.builds("https://{}/why?{}={}".format, domains, names, names),
)


@given(row=st.sampled_from(REPLIES), address=spellings, data=st.data())
def test_an_address_in_the_words_changes_no_blame(
    row: Row, address: str, data: st.DataObject
) -> None:
    phase, reply, blame = row
    lines = reply.splitlines()
    nth = data.draw(st.integers(0, len(lines) - 1))
    words = lines[nth][LEADING:].split(" ")
    at = data.draw(st.integers(0, len(words)))
    line = " ".join([*words[:at], address, *words[at:]])
    lines[nth] = f"{lines[nth][:LEADING]}{line}"

    assert judged(phase, "\n".join(lines)) is blame


@given(
    phase=st.sampled_from(Phase),
    code=st.integers(400, 599),
    detail=st.integers(850, 999),
    subject=st.integers(0, 7),
)
def test_a_code_that_nobody_knows_stops_nobody(
    phase: Phase, code: int, subject: int, detail: int
) -> None:
    blame = judged(phase, f"{code} {code // 100}.{subject}.{detail} xyzzy")

    if phase.is_about_one and code not in {525, 530, 534, 535, 538}:
        permanent = {Blame.RECIPIENT, Blame.RECIPIENT_NOW, Blame.MESSAGE}
        assert blame in ({Blame.RECIPIENT_NOW, Blame.MOMENT} if code < 500 else permanent)


@given(text=st.text(max_size=200), code=st.integers(-1, 999), phase=st.sampled_from(Phase))
def test_any_reply_has_a_meaning(text: str, code: int, phase: Phase) -> None:
    assert isinstance(ruling(phase, parse_reply(code, text)).blame, Blame)


@pytest.mark.parametrize(
    "words", ["a-1 " * 8_000, "user " * 6_000, "1.2." * 8_000, "<" * 30_000, "sender is " * 3_000]
)
def test_a_long_reply_is_judged_in_no_time(words: str) -> None:
    since_s = time.process_time()

    assert isinstance(judged(Phase.RCPT, f"550 {words}"), Blame)

    # It takes 0.2 s; with all of its 32 kB looked at, it would take 34 s.
    assert time.process_time() - since_s < 2

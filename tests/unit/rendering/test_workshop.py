import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from time import perf_counter

import pytest

from notifier.content.ports import Checked
from notifier.content.template import Content, Finding, Rendered, VariableFault
from notifier.notification.model import Channel, JsonValue
from notifier.rendering.workshop import ChildWorkshop
from tests.unit.rendering.making import (
    SHARED,
    StandingClock,
    check,
    content,
    email,
    offered,
    rendered,
    sms,
)

LONG = 60_000
CHAINS = [
    "{{ " + "-" * LONG + "1 }}",
    "{{ " + "1~" * LONG + "1 }}",
    "{{ " + "1+" * LONG + "1 }}",
    "{{ a" + ".b" * LONG + " }}",
    "{{ 1" + "|string" * (LONG // 2) + " }}",
    "{{ a" + "[0]" * LONG + " }}",
    "{{ a" + "()" * LONG + " }}",
    "{{ " + "not " * LONG + "1 }}",
    "{{ " + "1 if 1 else " * (LONG // 3) + "1 }}",
    "{{ 1" + " and 1" * (LONG // 2) + " }}",
    "{{ " + "(" * LONG + "1" + ")" * LONG + " }}",
    "{{ " + "[" * LONG + "]" * LONG + " }}",
    "{% if 0 %}" + "{% elif 0 %}" * 20_000 + "{% endif %}",
    "{% if 1 %}" * 12_000 + "{% endif %}" * 12_000,
]
ENDLESS = "{% set a = [1, 1] %}" + "{% set a = [a, a] %}" * 60 + "{{ a }}"
"""What it prints is twice as much with each step; the engine does not count that."""


@pytest.fixture
async def workshop() -> AsyncIterator[ChildWorkshop]:
    made = ChildWorkshop(StandingClock())
    yield made
    await made.close()


def only(found: Checked) -> str:
    (finding,) = found.findings
    return finding.code


async def test_a_chain_that_kills_a_parser_is_a_finding_and_the_parent_goes_on(
    workshop: ChildWorkshop,
) -> None:
    for chain in CHAINS:
        checked = await workshop.check(sms(chain), SHARED)

        assert checked.compiled is None
        assert only(checked) in {"too-complex", "syntax", "filling"}
        assert (await workshop.check(sms("a"), SHARED)).findings == []


async def test_a_chain_in_a_preview_is_a_finding_and_the_parent_goes_on(
    workshop: ChildWorkshop,
) -> None:
    for chain in CHAINS:
        found = await previewed(workshop, sms(chain))

        assert isinstance(found, list)
        assert [type(each) for each in found] == [Finding]
        assert isinstance(await previewed(workshop, sms("a")), Rendered)


async def test_the_loop_goes_on_while_a_child_is_busy(workshop: ChildWorkshop) -> None:
    asked = asyncio.create_task(previewed(workshop, sms(ENDLESS)))
    longest_s, began_s = 0.0, perf_counter()
    before_s = began_s
    while not asked.done():
        await asyncio.wait({asked}, timeout=0.05)
        longest_s, before_s = max(longest_s, perf_counter() - before_s), perf_counter()

    found = await asked
    assert isinstance(found, list)
    assert [each.code for each in found if isinstance(each, Finding)] == ["too-complex"]
    assert longest_s < (before_s - began_s) / 3


async def test_what_a_child_finds_is_what_is_found_here(workshop: ChildWorkshop) -> None:
    of = content(
        {"en": {Channel.EMAIL: {"subject": "{{ a", "text": " ", "html": "<b {{ a }}>"}}},
        schema={"properties": {"now": {}}},
        examples=[{"now": [1, None, True, 0.5]}],
    )
    good = email(html="<p>{{ now }}</p>", preheader="a")

    assert await workshop.check(of, SHARED) == check(of)
    assert await workshop.check(good, SHARED) == check(good)


async def test_a_preview_is_what_would_be_sent(workshop: ChildWorkshop) -> None:
    of = email(text="{{ v }}", html="<style>p{top:0}</style><p>{{ v }} {{ now|datetime }}</p>")

    found = await previewed(workshop, of, v="<Ä>")

    assert found == rendered(of, v="<Ä>")


async def test_a_preview_tells_what_is_wrong_with_variables(workshop: ChildWorkshop) -> None:
    of = content({"en": {Channel.SMS: {"text": "a"}}}, schema={"required": ["code"]})

    assert await previewed(workshop, of) == [VariableFault(("code",), "is missing")]


async def test_a_preview_of_mjml_is_its_html(workshop: ChildWorkshop) -> None:
    mjml = "<mjml><mj-body><mj-section><mj-column><mj-text>{{ v }}</mj-text></mj-column>"
    of = email(mjml=mjml + "</mj-section></mj-body></mjml>")

    found = await workshop.preview(
        of, Channel.EMAIL, locale="de", variables={"v": "<b>"}, offered=offered(), shared=SHARED
    )

    assert isinstance(found, Rendered)
    assert "&lt;b&gt;" in (found.html or "")


async def test_json_that_is_nested_too_deeply_never_gets_to_a_parser(
    workshop: ChildWorkshop,
) -> None:
    deep: JsonValue = {}
    for _ in range(5_000):
        deep = {"not": deep}

    assert only(await workshop.check(content({}, schema={"not": deep}), SHARED)) == "too-deep"


async def test_a_killed_child_is_replaced(workshop: ChildWorkshop) -> None:
    await workshop.check(sms("a"), SHARED)
    first = children()
    for each in first:
        os.kill(each, signal.SIGKILL)

    # What it was killed for may have been the question.
    await workshop.check(sms("a"), SHARED)
    checked = await workshop.check(sms("a"), SHARED)

    assert checked.findings == []
    assert not first & children()


async def test_who_stops_waiting_leaves_no_answer_for_the_next(workshop: ChildWorkshop) -> None:
    await workshop.check(sms("a"), SHARED)
    slow = asyncio.create_task(previewed(workshop, sms(ENDLESS)))
    await asyncio.wait({slow}, timeout=0.2)
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow

    assert (await workshop.check(sms("a"), SHARED)).findings == []


async def test_an_answer_that_is_late_is_a_finding() -> None:
    workshop = ChildWorkshop(StandingClock(), late_s=0)
    try:
        assert only(await workshop.check(sms("a"), SHARED)) == "too-complex"
    finally:
        await workshop.close()


async def test_no_child_is_left_after_closing(workshop: ChildWorkshop) -> None:
    await workshop.check(sms("a"), SHARED)
    mine = children()

    await workshop.close()

    assert mine
    assert not mine & children()


async def test_a_child_ends_with_its_input_and_sees_no_environment(
    workshop: ChildWorkshop,
) -> None:
    await workshop.check(sms("a"), SHARED)
    (child,) = children()

    with open(f"/proc/{child}/environ", encoding="utf-8") as file:  # noqa: ASYNC230, PTH123
        names = {each.partition("=")[0] for each in file.read().split("\0") if each}
    alone = subprocess.run(  # noqa: ASYNC221  it ends at once, which is the point
        [sys.executable, "-m", "notifier.rendering.child"],
        input=b"",
        timeout=30,
        check=True,
        capture_output=True,
    )

    assert names == {"PYTHONPATH", "PYTHONUTF8"}
    assert alone.stdout.endswith(b'{"ready": true}')


async def previewed(
    workshop: ChildWorkshop, of: Content, **variables: JsonValue
) -> Rendered | list[VariableFault | Finding]:
    channel = next(iter(of.parts["en"]))
    found = await workshop.preview(
        of, channel, locale="en", variables=variables, offered=offered(), shared=SHARED
    )
    return found if isinstance(found, Rendered) else list(found)


def children() -> set[int]:
    """The children of this process that look at drafts."""
    found = set()
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in listed.splitlines():
        pid, _, arguments = line.strip().partition(" ")
        if arguments.endswith("notifier.rendering.child"):
            found.add(int(pid))
    return found

"""The examples do what they say, each with its one command."""

import subprocess
import sys

import pytest

from tests.e2e.processes import CHECKOUT, environment

BOOKING = """\
sent: welcome by email
sent: otp by sms
sent: booking.confirmed by email
sent: booking.confirmed by in_app
sent: booking.cancelled by email
sent: waitlist.joined by in_app
sent: waitlist.available by in_app
sent: waitlist.cancelled by email
waits: waitlist.available by email, unless it is read in the inbox before
"""
FEED = "by email: feed.digest to dora\n"


@pytest.mark.parametrize(("name", "end"), [("booking", BOOKING), ("feed", FEED)])
def test_an_example_shows_what_it_is_about(name: str, end: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"examples.{name}.service"],
        cwd=CHECKOUT,
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(end), done.stdout
    script = (CHECKOUT / "examples" / name / "run").read_text(encoding="utf-8")
    assert f"-m examples.{name}.service" in script

"""Which hooks are installed, and how their calls come to be counted."""

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from notifier.clock import SystemClock
from notifier.composition.hooks import hooking
from notifier.composition.settings import read_settings
from notifier.errors import StoreUnavailableError
from notifier.hooks.counts import Calls, Result
from notifier.hooks.moments import Moment
from notifier.settings.groups import Settings
from tests.unit.hooks.test_calling import VALUE

MODULE = """
from pathlib import Path

class Hook:
    def accepted(self, value):
        Path(__file__).with_name("told").write_text(str(value.id))

class Unmade:
    def __init__(self):
        raise SystemExit(3)
"""
ENTRIES = "[notifier.hooks]\nmade = a_hook:Hook\nunmade = a_hook:Unmade\nempty = a_hook:Path\n"


class Counts:
    """Counts, or a database that is away."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.counted: Counter[Calls] = Counter()
        self._is_away = is_away

    async def add(self, counts: Mapping[Calls, int]) -> None:
        if self._is_away:
            raise StoreUnavailableError("the database is away")
        self.counted.update(counts)

    async def all(self) -> Mapping[Calls, int]:
        return self.counted


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an installed package of hooks."""
    about = tmp_path / "a_hook-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: a_hook\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRIES)
    (tmp_path / "a_hook.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "a_hook", raising=False)
    return tmp_path


def settings(**changes: str) -> Settings:
    return read_settings(
        {
            "NOTIFIER_DATABASE_URL": "sqlite:///x.db",
            "NOTIFIER_BROKER_URL": "memory://",
            "NOTIFIER_KEY_PEPPER": "a pepper that is long enough",
            **changes,
        }
    )


async def test_what_is_installed_is_told_and_counted_and_what_is_none_is_left_out(
    folder: Path,
) -> None:
    counts = Counts()

    with capture_logs() as logs:
        async with hooking(settings(), counts, SystemClock()) as hooks:
            assert hooks.want(Moment.ACCEPTED)
            hooks.tell(Moment.ACCEPTED, VALUE)

    assert (folder / "told").read_text() == str(VALUE.id)
    assert counts.counted == {Calls("made", Moment.ACCEPTED, Result.DONE): 1}
    assert {(each["event"], each["hook"]) for each in logs} == {
        ("hook.installed", "made"), ("hook.unusable", "unmade"), ("hook.unusable", "empty"),
    }  # fmt: skip


async def test_none_is_called_where_they_are_turned_off(folder: Path) -> None:
    off = settings(NOTIFIER_HOOKS__ENABLED="false")

    async with hooking(off, Counts(), SystemClock()) as hooks:
        assert hooks.is_empty
        hooks.tell(Moment.ACCEPTED, VALUE)

    assert not (folder / "told").exists()


@pytest.mark.usefixtures("folder")
async def test_calls_that_cannot_be_counted_are_said_in_the_log() -> None:
    with capture_logs() as logs:
        async with hooking(settings(), Counts(is_away=True), SystemClock()) as hooks:
            hooks.tell(Moment.ACCEPTED, VALUE)

    assert logs[-1] == {
        "event": "hook.uncounted",
        "log_level": "warning",
        "error": "StoreUnavailableError",
    }

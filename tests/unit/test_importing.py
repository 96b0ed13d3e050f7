import gc
import sys
from pathlib import Path

import pytest

from notifier.importing import imported


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which modules can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_module_is_imported_with_the_collector_at_rest(folder: Path) -> None:
    (folder / "first_of_a_kind.py").write_text("import gc\nwas_on = gc.isenabled()\n")
    frozen = gc.get_freeze_count()

    assert imported("first_of_a_kind").was_on is False

    assert gc.isenabled()
    assert gc.get_freeze_count() > frozen


def test_a_module_that_cannot_be_imported_leaves_the_collector_on(folder: Path) -> None:
    (folder / "broken_of_a_kind.py").write_text("1 / 0\n")

    with pytest.raises(ZeroDivisionError):
        imported("broken_of_a_kind")

    assert gc.isenabled()


def test_what_is_there_is_not_imported_again() -> None:
    frozen = gc.get_freeze_count()

    assert imported("sys") is sys
    assert gc.get_freeze_count() == frozen

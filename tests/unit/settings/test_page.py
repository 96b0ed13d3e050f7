"""docs/settings.md is what the code says."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path

from notifier.composition.settings import ALL_SETTINGS

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "settings.md"
page: Callable[[], str] = runpy.run_path(str(ROOT / "scripts" / "settings_page.py"))["page"]


def test_the_settings_page_is_in_step_with_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python scripts/settings_page.py"


def test_every_variable_on_the_page_is_one_that_the_settings_know() -> None:
    shown = re.findall(r"^\| `(NOTIFIER_[A-Z_]+)`", page(), re.MULTILINE)

    for variable in shown:
        fields = ALL_SETTINGS.model_fields
        *groups, name = variable.removeprefix("NOTIFIER_").lower().split("__")
        for group in groups:
            annotation = fields[group].annotation
            assert annotation is not None
            fields = annotation.model_fields
        assert name in fields, variable
    assert len(shown) == len(set(shown))


def test_every_setting_is_described_in_a_sentence() -> None:
    rows = re.findall(r"^\| `NOTIFIER_\w+` \| [^|]+ \| (.*) \|$", page(), re.MULTILINE)

    assert rows
    assert all(re.match(r"[A-Z`].*\.$", row) for row in rows), rows

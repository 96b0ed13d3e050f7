"""Pages of our own, filled."""

from pathlib import Path

import pytest

from notifier.api.console.layout import templates
from notifier.rendering.trusted import TrustedPages


def test_values_are_escaped_whatever_a_page_is_called(tmp_path: Path) -> None:
    (tmp_path / "page").write_text('<a title="{{ words }}">{{ words }}</a>')

    html = TrustedPages(tmp_path).rendered("page", {"words": "<b>\"'&"})

    assert html == f'<a title="{"&lt;b&gt;&quot;&#x27;&amp;"}">{"&lt;b&gt;&quot;&#x27;&amp;"}</a>'


def test_a_page_that_names_what_it_was_not_given_fails(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("{{ words }}")

    with pytest.raises(RuntimeError, match="undefined"):
        TrustedPages(tmp_path).rendered("page", {})


@pytest.mark.parametrize("page", [each.name for each in templates().iterdir()])
def test_no_page_of_the_console_lets_through_what_is_not_escaped(page: str) -> None:
    source = templates().joinpath(page).read_text(encoding="utf-8")

    assert "|safe" not in source.replace(" ", "")
    assert "autoescape" not in source

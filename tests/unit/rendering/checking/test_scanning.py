"""Where names stand in a source."""

import pytest

from notifier.rendering.checking.scanning import where_read


@pytest.mark.parametrize(
    ("source", "name", "where"),
    [
        ("Hello {{ name }}", "name", (1, 10)),
        ("Hello name,\n{{ title }} {{ guest.name }}\n{{ name }}", "name", (3, 4)),
        ("{{ guest.name }}", "guest.name", (1, 4)),
        ('{{ t("name") }}{% if a == "name" and name %}{% endif %}', "name", (1, 38)),
        ("{% raw %}{{ name }}{% endraw %}\n{# {{ name }} #}", "name", None),
        ("{{ names }} {{ surname }}", "name", None),
    ],
)
def test_a_name_is_found_where_tags_read_it_first(
    source: str, name: str, where: tuple[int, int] | None
) -> None:
    assert where_read(source, name) == where

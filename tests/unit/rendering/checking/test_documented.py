import re
from pathlib import Path

ROOT = Path(__file__).parents[4]
_CODE = re.compile(
    r"(?:PartError|\.error|\.warning|report|_report|_say)\(\s*\"([a-z-]+)\"|code=\"([a-z-]+)\""
)


def test_every_code_of_a_finding_is_explained() -> None:
    page = (ROOT / "docs/template-language.md").read_text(encoding="utf-8")
    sources = [
        path.read_text(encoding="utf-8") for path in (ROOT / "notifier/rendering").rglob("*.py")
    ]
    codes = {one or other for source in sources for one, other in _CODE.findall(source)}

    assert len(codes) > 30
    assert {code for code in codes if f"`{code}`" not in page} == set()

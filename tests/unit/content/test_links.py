import pytest

from notifier.content.links import action_url_fault, link_fault


@pytest.mark.parametrize(
    "address",
    [
        "https://app.example/bookings/42?a=1&b=2#top",
        "https://bücher.example/",
        "/",
        "/bookings/42?a=b",
        "/search?next=https://app.example",
        "/@ada",
    ],
)
def test_an_action_leads_to_an_https_address_or_a_path_of_the_app(address: str) -> None:
    assert action_url_fault(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,a",
        "vbscript:a",
        "http://app.example/",
        "mailto:a@app.example",
        "//evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "\\\\evil.example",
        "bookings/42",
        "#top",
        "",
        "https:",
        "https:///x",
        "https:app.example",
        "https://app.example@evil.example/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://[::1",
        "/a\n",
        "/a\u202eb",
        "https://app.example/\u2066b",
        "https://app.example/a\u200bb",
        "https://app.example/\ufeff",
        "/a\x00",
        "/\ud800",
        "/a{{ b }}",
        "/" + "a" * 2_048,
    ],
)
def test_an_action_leads_nowhere_else(address: str) -> None:
    assert action_url_fault(address) is not None


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f.1", "127.1", "127.0.0.1.", "0177.0.0.1", "1.0x", "[::ffff:10.0.0.1]"],
)
def test_an_address_is_none_of_a_name_however_it_is_written(host: str) -> None:
    assert link_fault(f"https://{host}/") is not None


def test_a_name_with_digits_is_a_name() -> None:
    assert link_fault("https://1.2.3.4.example/") is None
    assert link_fault("https://0xcafe.example/") is None

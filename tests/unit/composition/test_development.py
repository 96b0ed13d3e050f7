from pathlib import Path

import pytest

from notifier.composition import development
from notifier.composition.settings import read_settings
from notifier.errors import SettingsError


def test_what_is_set_wins_over_what_is_usual(tmp_path: Path) -> None:
    (tmp_path / "pepper").write_text("a-pepper-of-some-length")
    environ = {
        "NOTIFIER_PORT": "9000",
        "NOTIFIER_DATABASE_URL": "",
        "NOTIFIER_KEY_PEPPER_FILE": str(tmp_path / "pepper"),
        "NOTIFIER_EMAIL__PROVIDERS": "'smtp'",
    }

    settings = read_settings(development.environment(tmp_path / "data", environ))

    assert settings.port == 9_000
    assert settings.database_url.get_secret_value().endswith("/data/notifier.db")
    assert settings.key_pepper.get_secret_value() == "a-pepper-of-some-length"
    assert settings.links.base_url == "http://127.0.0.1:9000"
    assert (settings.email.providers, settings.sms.providers) == (("smtp",), ("sandbox",))


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/below")):
        with pytest.raises(SettingsError, match=f"{folder}: cannot be read and written"):
            development.environment(folder, {})


def test_a_secret_that_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "key-pepper").mkdir()
    (tmp_path / "api-key").write_bytes(b"\xff\xfe")

    with pytest.raises(SettingsError, match="key-pepper: cannot be read and written"):
        development.environment(tmp_path, {})
    with pytest.raises(SettingsError, match="api-key: is no text"):
        development.read_secret(tmp_path / "api-key")


def test_links_lead_to_the_free_port_that_was_taken(tmp_path: Path) -> None:
    chosen = {"NOTIFIER_PORT": "0", "NOTIFIER_LINKS__BASE_URL": "https://notify.example.com"}
    free, named = (
        read_settings(development.environment(tmp_path, environ))
        for environ in ({"NOTIFIER_PORT": "0"}, chosen)
    )

    assert development.reached_at(free, 40_123).links.base_url == "http://127.0.0.1:40123"
    assert development.reached_at(named, 40_123).links.base_url == "https://notify.example.com"

"""One process at a time on a SQLite file, whatever it is called."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from notifier.errors import SettingsError
from notifier.store.kit.occupying import sole_user


def test_a_file_has_one_user_by_whatever_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "notifier.db").touch()
    (tmp_path / "linked.db").symlink_to(folder / "notifier.db")
    (tmp_path / "linked").symlink_to(folder)
    monkeypatch.chdir(tmp_path)

    with sole_user(f"sqlite:///{folder}/notifier.db"):
        for path in (
            folder / "notifier.db",
            tmp_path / "linked.db",
            tmp_path / "linked" / "notifier.db",
            "data/../data/notifier.db",
        ):
            with pytest.raises(SettingsError, match="another notifier works"), _used(path):
                pass
        with _used(folder / "another.db"):
            pass

    with _used(tmp_path / "linked.db"):
        pass


def test_a_server_is_anybodys() -> None:
    url = "postgresql://host/name"
    with sole_user(url), sole_user(url):
        pass


def _used(path: Path | str) -> AbstractContextManager[None]:
    return sole_user(f"sqlite:///{path}")

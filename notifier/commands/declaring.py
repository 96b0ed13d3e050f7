"""What a server declared, for a folder whose templates are checked without one."""

import json
from pathlib import Path

from notifier.commands.answering import Steps
from notifier.commands.calling import ApiClient
from notifier.commands.folders import TemplateFolder
from notifier.commands.syncing import written
from notifier.content.folder import json_text
from notifier.errors import SettingsError

NAME = "categories.json"
_SWITCHABLE = "switchable"


def pull_categories(client: ApiClient, folder: TemplateFolder) -> Steps:
    """Write into a folder which categories of a server people can switch off, if there are any."""
    own = client.get("quiet-hours")
    if own is None:  # it knows no categories
        return True
    every = client.pages("categories", service=own["service"])
    keys = sorted(each["key"] for each in every if each["can_switch_off"])
    file = folder.root / NAME
    if set(keys) != switchable_of(folder):
        file.write_text(json_text({_SWITCHABLE: keys}), encoding="utf-8")
        yield written(NAME)
    return True


def switchable_of(folder: TemplateFolder) -> frozenset[str]:
    """Return the categories that people can switch off, as a folder has it.

    Raises:
        SettingsError: its file is none.
    """
    file = folder.root / NAME
    found = _read(file)
    keys = found.get(_SWITCHABLE) if isinstance(found, dict) else None
    if not isinstance(keys, list) or not all(isinstance(each, str) for each in keys):
        raise SettingsError(f'{file}: expected {{"{_SWITCHABLE}": ["news"]}}, as pull writes it')
    return frozenset(keys)


def _read(file: Path) -> object:
    try:
        return json.loads(file.read_bytes())
    except FileNotFoundError:
        return {_SWITCHABLE: []}
    except (ValueError, RecursionError):
        return None

"""The schema's revisions, and what to say to a database that lacks one.

A revision adds, or drops an index, so that code of the previous one runs on: a database that is
newer than this code is no problem, an older one is. A revision's name begins with its number, in
four digits: that tells a newer one from what is not ours.
"""

import re
from enum import Enum

from sqlalchemy import MetaData, Table, Text, column, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection

REVISIONS = (
    "0001_create_tables",
    "0002_add_provider_tables",
    "0003_compare_recipients",
    "0004_let_services_take_turns",
    "0005_note_unknown_messages",
    "0006_drop_the_index_of_due",
    "0007_look_up_as_compared",
    "0008_follow_what_happens",
    "0009_add_templates",
    "0010_add_mail_details",
    "0011_add_action_urls",
    "0012_add_attachments",
    "0013_add_brands",
    "0014_add_senders",
    "0015_keep_finished_content",
    "0016_find_ids_by_their_key",
    "0017_add_sizes_of_sms",
    "0018_note_what_templates_use",
    "0019_keep_captured_mails",
    "0020_address_people",
    "0021_add_topics",
    "0022_add_broadcasts",
    "0023_let_go_what_is_old",
    "0024_suppress_by_category",
    "0025_add_recipients",
    "0026_add_states_of_inboxes",
    "0027_add_categories",
    "0028_erase_people",
    "0029_count_against_caps",
    "0030_note_where_they_come_from",
    "0031_count_calls_of_hooks",
    "0032_add_schedules",
    "0033_add_rules",
    "0034_take_events",
    "0035_count_events",
    "0036_bound_digests",
    "0037_keep_former_categories",
    "0038_seal_content",
    "0039_note_who_changed_what",
    "0040_keep_statistics",
    "0041_note_what_was_forwarded",
    "0042_add_replays",
    "0043_add_processes",
    "0044_add_operators",
    "0045_count_what_processes_do",
)
"""All revisions, oldest first; the last is what this code needs."""

_TABLE = "alembic_version"
_version = select(column("version_num", Text)).select_from(Table(_TABLE, MetaData()))


_NUMBERED = re.compile(r"(\d{4})_[a-z0-9_]+", re.ASCII)


class Standing(Enum):
    """Where a database's schema is, as this code sees it."""

    EMPTY = "it has no tables yet"
    OLDER = "it lacks a revision"
    CURRENT = "it has what this code needs"
    NEWER = "a later version upgraded it"
    FOREIGN = "something else keeps its revisions there"


FOREIGN = (
    "the database holds the tables of something else, or of a version of notifier that never was:"
    " let NOTIFIER_DATABASE_URL name a database of its own"
)


def standing(revision: str | None) -> Standing:
    """Where a database is that says this of itself; None: nothing."""
    if revision is None:
        return Standing.EMPTY
    if revision in REVISIONS:
        return Standing.CURRENT if revision == REVISIONS[-1] else Standing.OLDER
    numbered = _NUMBERED.fullmatch(revision)
    is_newer = numbered is not None and numbered[1] > REVISIONS[-1][:4]
    return Standing.NEWER if is_newer else Standing.FOREIGN


async def problem_of(connection: AsyncConnection) -> str | None:
    """Return in one line what is wrong with the schema and what to run, or None."""
    has_table = await connection.run_sync(lambda sync: inspect(sync).has_table(_TABLE))
    match standing(await connection.scalar(_version) if has_table else None):
        case Standing.EMPTY:
            return "the database has no tables yet: run `notifier db upgrade`"
        case Standing.OLDER:
            return f"the database's schema is older than {REVISIONS[-1]}: run `notifier db upgrade`"
        case Standing.FOREIGN:
            return FOREIGN
        case Standing.CURRENT | Standing.NEWER:
            return None

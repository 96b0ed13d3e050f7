"""The database, by what is asked of it."""

from functools import cached_property

from notifier.clock import SystemClock
from notifier.content.uploading import Filing
from notifier.store.attachments import SqlAttachments, SqlContents
from notifier.store.audit import SqlAuditLog, note_act
from notifier.store.brands import SqlBrandStore
from notifier.store.broadcasts.expanding import SqlExpansion
from notifier.store.broadcasts.keeping import SqlBroadcastStore
from notifier.store.caps import SqlCapStore
from notifier.store.captures import SqlCaptures
from notifier.store.categories import SqlCategoryStore
from notifier.store.choices import SqlChoiceHistory
from notifier.store.choosing import SqlChoosing
from notifier.store.erasing.asking import SqlErasures
from notifier.store.erasing.stepping import SqlErasing
from notifier.store.events.closing import SqlDigests
from notifier.store.events.counting import SqlEventCounts
from notifier.store.events.digests import SqlDigestStore
from notifier.store.events.keeping import SqlEventStore
from notifier.store.fates import SqlFates
from notifier.store.hook_counts import SqlHookCounts
from notifier.store.inbox.inboxes import SqlInbox
from notifier.store.keys import SqlKeyStore
from notifier.store.kit.clock import DatabaseClock
from notifier.store.kit.database import Database
from notifier.store.kit.idempotency import SqlOnce
from notifier.store.notification.attempts import SqlLeases
from notifier.store.notification.dead_letters import SqlDeadLetters
from notifier.store.notification.feed import SqlCursors, SqlFeed
from notifier.store.notification.intake import SqlIntake
from notifier.store.notification.orders import SqlOrders
from notifier.store.notification.publications import SqlPublications
from notifier.store.notification.reading import SqlQueryStore
from notifier.store.notification.settings import StoreSettings
from notifier.store.notification.upkeep import SqlUpkeep
from notifier.store.operators.failures import SqlFailureStore
from notifier.store.operators.keeping import SqlOperatorStore
from notifier.store.operators.sessions import SqlSessionStore
from notifier.store.preferences import SqlPreferenceStore
from notifier.store.providers.accounts import SqlProviderStore
from notifier.store.receipts.applying import SqlReceiptStore
from notifier.store.recipients.inboxes import meant
from notifier.store.recipients.reading import SqlDirectory
from notifier.store.recipients.store import SqlPersonStore
from notifier.store.replays.keeping import SqlReplayStore
from notifier.store.replays.letters import SqlLetters
from notifier.store.replays.working import SqlReplaying
from notifier.store.retention import SqlPurge, SqlRetentionRules
from notifier.store.roster import SqlRoster
from notifier.store.rules.keeping import SqlRuleStore
from notifier.store.schedules.firing import SqlFiring
from notifier.store.schedules.keeping import SqlScheduleStore
from notifier.store.senders import SqlSenderStore
from notifier.store.statistics import SqlStatistics
from notifier.store.suppressions import SqlSuppressionStore
from notifier.store.templates.library import SqlTemplateStore
from notifier.store.topics import SqlTopicStore
from notifier.store.zones import SqlTopicZones


class Stores:
    """All stores over one database, each made when it is first asked for, and once."""

    def __init__(self, database: Database, limits: StoreSettings) -> None:
        self.database = database
        database.beside(note_act)
        self._limits = limits

    @cached_property
    def intake(self) -> SqlIntake:
        return SqlIntake(self.database, self._limits)

    @cached_property
    def publications(self) -> SqlPublications:
        return SqlPublications(self.database, self._limits)

    @cached_property
    def leases(self) -> SqlLeases:
        return SqlLeases(self.database, self._limits)

    @cached_property
    def fates(self) -> SqlFates:
        return SqlFates(self.database)

    @cached_property
    def upkeep(self) -> SqlUpkeep:
        return SqlUpkeep(self.database, self._limits)

    @cached_property
    def dead_letters(self) -> SqlDeadLetters:
        return SqlDeadLetters(self.database)

    @cached_property
    def orders(self) -> SqlOrders:
        return SqlOrders(self.database)

    @cached_property
    def letters(self) -> SqlLetters:
        return SqlLetters(self.database, self._limits)

    @cached_property
    def replays(self) -> SqlReplayStore:
        return SqlReplayStore(self.database, self._limits)

    @cached_property
    def replaying(self) -> SqlReplaying:
        return SqlReplaying(self.database)

    @cached_property
    def once(self) -> SqlOnce:
        return SqlOnce(self.database)

    @cached_property
    def queries(self) -> SqlQueryStore:
        return SqlQueryStore(self.database)

    @cached_property
    def keys(self) -> SqlKeyStore:
        return SqlKeyStore(self.database)

    @cached_property
    def operators(self) -> SqlOperatorStore:
        return SqlOperatorStore(self.database)

    @cached_property
    def sessions(self) -> SqlSessionStore:
        return SqlSessionStore(self.database)

    @cached_property
    def sign_in_failures(self) -> SqlFailureStore:
        return SqlFailureStore(self.database)

    @cached_property
    def inbox(self) -> SqlInbox:
        return SqlInbox(self.database, meant)

    @cached_property
    def captures(self) -> SqlCaptures:
        return SqlCaptures(self.database)

    @cached_property
    def providers(self) -> SqlProviderStore:
        return SqlProviderStore(self.database)

    @cached_property
    def receipts(self) -> SqlReceiptStore:
        return SqlReceiptStore(self.database, self._limits.pseudonyms)

    @cached_property
    def suppressions(self) -> SqlSuppressionStore:
        return SqlSuppressionStore(self.database, self._limits.pseudonyms)

    @cached_property
    def choosing(self) -> SqlChoosing:
        return SqlChoosing(self.database, self._limits.pseudonyms)

    @cached_property
    def templates(self) -> SqlTemplateStore:
        return SqlTemplateStore(self.database)

    @cached_property
    def attachments(self) -> SqlAttachments:
        return SqlAttachments(self.database)

    @cached_property
    def contents(self) -> SqlContents:
        return SqlContents(self.database)

    @cached_property
    def brands(self) -> SqlBrandStore:
        return SqlBrandStore(self.database)

    @cached_property
    def rules(self) -> SqlRuleStore:
        return SqlRuleStore(self.database)

    @cached_property
    def senders(self) -> SqlSenderStore:
        return SqlSenderStore(self.database)

    @cached_property
    def directory(self) -> SqlDirectory:
        return SqlDirectory(self.database)

    @cached_property
    def people(self) -> SqlPersonStore:
        return SqlPersonStore(self.database)

    @cached_property
    def categories(self) -> SqlCategoryStore:
        return SqlCategoryStore(self.database)

    @cached_property
    def caps(self) -> SqlCapStore:
        return SqlCapStore(self.database)

    @cached_property
    def choice_history(self) -> SqlChoiceHistory:
        return SqlChoiceHistory(self.database)

    @cached_property
    def preferences(self) -> SqlPreferenceStore:
        return SqlPreferenceStore(self.database)

    @cached_property
    def topics(self) -> SqlTopicStore:
        return SqlTopicStore(self.database)

    @cached_property
    def broadcasts(self) -> SqlBroadcastStore:
        return SqlBroadcastStore(self.database)

    @cached_property
    def expansion(self) -> SqlExpansion:
        return SqlExpansion(self.database, self._limits.pseudonyms)

    @cached_property
    def schedules(self) -> SqlScheduleStore:
        return SqlScheduleStore(self.database, self._limits)

    @cached_property
    def firing(self) -> SqlFiring:
        return SqlFiring(self.database, self._limits.pseudonyms, nobodys=self._limits.default_zone)

    @cached_property
    def topic_zones(self) -> SqlTopicZones:
        return SqlTopicZones(self.database, self._limits.default_zone)

    @cached_property
    def event_store(self) -> SqlEventStore:
        return SqlEventStore(self.database, self._limits)

    @cached_property
    def digests(self) -> SqlDigests:
        return SqlDigests(self.database, self._limits)

    @cached_property
    def digest_store(self) -> SqlDigestStore:
        return SqlDigestStore(self.database)

    @cached_property
    def event_counts(self) -> SqlEventCounts:
        return SqlEventCounts(self.database)

    @cached_property
    def retention_rules(self) -> SqlRetentionRules:
        return SqlRetentionRules(self.database)

    @cached_property
    def erasures(self) -> SqlErasures:
        return SqlErasures(self.database)

    @cached_property
    def erasing(self) -> SqlErasing | None:
        """None where the settings have no secret to hash with."""
        pseudonyms = self._limits.pseudonyms
        return SqlErasing(self.database, pseudonyms) if pseudonyms else None

    @cached_property
    def purge(self) -> SqlPurge:
        return SqlPurge(self.database)

    @cached_property
    def audit(self) -> SqlAuditLog:
        return SqlAuditLog(self.database, kept_days=self._limits.audit_kept_days)

    @cached_property
    def feed(self) -> SqlFeed:
        return SqlFeed(self.database)

    @cached_property
    def cursors(self) -> SqlCursors:
        return SqlCursors(self.database)

    @cached_property
    def statistics(self) -> SqlStatistics:
        return SqlStatistics(self.database, self.feed)

    @cached_property
    def roster(self) -> SqlRoster:
        return SqlRoster(self.database)

    @cached_property
    def hook_counts(self) -> SqlHookCounts:
        return SqlHookCounts(self.database)

    @cached_property
    def clock(self) -> DatabaseClock:
        return DatabaseClock(self.database, SystemClock())

    @property
    def filing(self) -> Filing:
        """What keeps files."""
        return Filing(self.attachments, self.contents)

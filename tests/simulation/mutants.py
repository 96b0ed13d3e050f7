"""The mechanisms that keep the promise, each with a change that takes it out.

A world in which one is missing has to be found wrong: `noticed/NAME.json` is the plan of one in
which that is so. The others are named in `UNNOTICED`, with the tests that hold them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.simulation import world
from tests.simulation.mutations import Mutation
from tests.simulation.plan import Kind, Plan
from tests.simulation.run import Template, kind_of, verdict

NOTICED = Path(__file__).parent / "noticed"
_SETTLE_S = 240.0
_ORDERS = 12
"""A plan that was kept goes another way when anything changes: each is tried in so many orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """notifier without a mechanism: `old` stands once in `module`, and `new` in its place.

    `only` are the kinds of fault that show it. `found` are the kinds of finding by which a world
    tells; none where no world does.
    """

    name: str
    module: str
    old: str
    new: str
    only: Sequence[Kind] = ()
    found: frozenset[str] = frozenset()

    def apply(self) -> None:
        """Take the mechanism out of this process."""
        Mutation(f"notifier.{self.module}", self.old, self.new).apply()

    def apply_soon(self) -> None:
        """The same, for a world that is not waited for in vain for long."""
        _be_impatient()
        self.apply()

    @property
    def path(self) -> Path:
        """Where the plan is kept in which it is noticed."""
        return NOTICED / f"{self.name}.json"

    @property
    def plans(self) -> Sequence[Plan]:
        """The plan in which it is noticed, in several orders."""
        kept = Plan.from_data(json.loads(self.path.read_text()))
        return [replace(kept, order=kept.order + shift) for shift in range(_ORDERS)]


def _mutant(name: str, module: str, old: str, new: str, only: str = "", found: str = "") -> Mutant:
    kinds = [Kind(each) for each in only.split(", ") if each]
    return Mutant(
        name=name, module=module, old=old, new=new, only=kinds, found=frozenset(found.split())
    )


MUTANTS: Sequence[Mutant] = (
    # --- claims -----------------------------------------------------------------------------
    _mutant(
        "a-claim-looks-at-the-status",
        "store.notification.attempts",
        "_leases.where(n.c.attempt == _wanted.c.attempt, stands_at(*CLAIM.sources)).values(",
        "_leases.where(n.c.attempt == _wanted.c.attempt).values(",
        "cancel, pause",
        "unlawful",
    ),
    _mutant(
        "a-claim-looks-at-the-attempt",
        "store.notification.attempts",
        "_leases.where(n.c.attempt == _wanted.c.attempt, stands_at(*CLAIM.sources)).values(",
        "_leases.where(stands_at(*CLAIM.sources)).values(",
        "confirm lost, provider weather, broker cut",
        "early doubled",
    ),
    _mutant(
        "a-claim-whose-answer-was-lost-is-renewed",
        "store.notification.attempts",
        "claimed, missed = await _lease(connection, _RENEW, requests, seals)",
        "claimed, missed = dict[UUID, Claimed | NotFound](), requests",
        "answer lost",
        "rescued unknown",
    ),
    _mutant(
        "a-claim-is-asked-again-while-the-database-is-away",
        "delivery.deliverer",
        "return await while_store_is_away(claim, probe_s=self._lease.probe_s,"
        " closing=self._closing)",
        "return await claim()",
        "database away",
        "bounced recalled",
    ),
    _mutant(
        "a-claim-that-is-cut-off-is-given-back",
        "delivery.deliverer",
        "            await self._give_back(claim)\n",
        "",
        "stop, database slow",
        "rescued held",
    ),
    _mutant(
        "a-claim-is-given-back-once-the-database-is-back",
        "delivery.deliverer",
        "            claimed = await while_store_is_away(claim, probe_s=self._lease.probe_s)\n",
        "            claimed = await claim()\n",
        "stop, database slow",
        "rescued",
    ),
    _mutant(
        "an-unanswered-claim-is-asked-for-once-more-at-a-stop",
        "delivery.waiting",
        "    except StoreUnavailableError:\n        return",
        "    except StoreUnavailableError:\n"
        "        if closing and closing.is_set():\n"
        "            raise\n"
        "        return",
    ),
    # --- ends -------------------------------------------------------------------------------
    _mutant(
        "an-end-needs-the-lease",
        "store.notification.finishing",
        "        n.c.lease_token == _ended.c.lease_token,\n",
        "",
        "database parted, freeze",
        "unlawful doubled",
    ),
    _mutant(
        "an-end-is-recorded-once-the-database-is-back",
        "delivery.deliverer",
        "            patience_s=self._lease.finish_patience_s,\n",
        "            patience_s=0,\n",
        "database away, database busy",
        "unrecorded",
    ),
    _mutant(
        "an-end-that-a-stop-cuts-off-is-recorded",
        "delivery.deliverer",
        "                self._finish(claimed, handover, decision, is_stopping=True),\n",
        "",
        "stop, provider weather",
        "rescued",
    ),
    _mutant(
        "words-that-the-database-refuses-are-left-out",
        "delivery.deliverer",
        "            return await record(partial(self._leases.finish, _without_words(finish)))\n",
        "            raise\n",
        "row refused, provider weather",
        "unrecorded",
    ),
    _mutant(
        "a-late-completion-is-noted",
        "store.notification.finishing",
        "    await timeline.append(connection, events)\n",
        "",
        "database parted, freeze",
        "unnoted",
    ),
    # --- providers --------------------------------------------------------------------------
    _mutant(
        "nobody-else-is-asked-after-an-unknown-outcome",
        "delivery.judging",
        "        case Systemic() | Transient():\n            return True\n"
        "        case Sent() | Permanent() | Unknown() | Suppressed() | Deferred():\n",
        "        case Systemic() | Transient() | Unknown():\n            return True\n"
        "        case Sent() | Permanent() | Suppressed() | Deferred():\n",
        "provider weather",
        "asked-on",
    ),
    _mutant(
        "what-is-in-doubt-is-held-where-that-is-wanted",
        "delivery.judging",
        "    if isinstance(outcome, Unknown) and policy.on_unknown is OnUnknown.HOLD:\n",
        "    if isinstance(outcome, Unknown) and False:\n",
        "provider weather",
        "resent",
    ),
    _mutant(
        "what-a-dead-worker-had-is-held-where-that-is-wanted",
        "store.notification.upkeep",
        "_gives_up = or_(_holds, n.c.attempts_spent >= _abandoned.c.max_attempts)",
        "_gives_up = n.c.attempts_spent >= _abandoned.c.max_attempts",
        "kill",
        "resent",
    ),
    _mutant(
        "a-breaker-opens",
        "providers.gate",
        "elif trips or admission.is_probe:",
        "elif admission.is_probe:",
        "provider weather",
        "hammered",
    ),
    # --- the relay --------------------------------------------------------------------------
    _mutant(
        "a-relay-publishes-what-is-due",
        "delivery.duties",
        "return (*self._due.values(), self._rescue, *self._others)",
        "return (self._rescue, *self._others)",
        "kill, broker away",
        "stuck",
    ),
    _mutant(
        "a-relay-rescues",
        "delivery.duties",
        "return (*self._due.values(), self._rescue, *self._others)",
        "return (*self._due.values(), *self._others)",
        "kill",
        "stuck",
    ),
    _mutant(
        "a-relay-buries",
        "delivery.duties",
        '            Duty("bury", pace.rescue_every_s, self.bury),\n',
        "",
        "broker away, provider weather",
        "stuck letters",
    ),
    _mutant(
        "a-relay-finds-what-is-lost",
        "delivery.duties",
        '            Duty("lost", pace.rescue_every_s, self.publish_lost),\n',
        "",
        "purge, queue deleted",
        "stuck",
    ),
    _mutant(
        "a-relay-sweeps-the-dead-queues",
        "delivery.duties",
        "            self._sweep,\n",
        "",
        "replay, provider weather",
        "stuck letters",
    ),
    _mutant(
        "a-relay-holds-what-it-takes",
        "store.notification.due",
        '        relay_at=SecondsFromNow(parameter("hold_s", Float)),\n',
        "        relay_at=n.c.relay_at,\n",
        "provider weather",
        "skipped",
    ),
    _mutant(
        "only-an-ended-lease-is-rescued",
        "store.notification.upkeep",
        "_lease_ended = and_(status_in(Status.PROCESSING), n.c.lease_until <= Now())",
        "_lease_ended = status_in(Status.PROCESSING)",
        "provider weather",
        "rescued doubled",
    ),
    _mutant(
        "only-what-was-published-long-ago-is-taken-for-lost",
        "store.notification.upkeep",
        "    .where(status_in(Status.PENDING), n.c.published_at.is_not(None), is_up)\n)\n"
        "_TAKE_LOST",
        "    .where(status_in(Status.PENDING), n.c.published_at.is_not(None))\n)\n_TAKE_LOST",
        "pause",
        "twice vanished",
    ),
    _mutant(
        "a-second-letter-is-looked-for",
        "store.notification.dead_letters",
        "    stale_letter_at=case((_was_offered, Now()), else_=n.c.stale_letter_at)\n)\n\n\nasync",
        "    stale_letter_at=n.c.stale_letter_at\n)\n\n\nasync",
        "confirms held, provider weather",
        "stuck letters",
    ),
    # --- the broker -------------------------------------------------------------------------
    _mutant(
        "a-confirmation-is-awaited",
        "queue.rabbitmq.publisher",
        "                await _answered(batch)\n",
        "                fates = [Fate.CONFIRMED] * len(messages)\n",
        "broker cut, broker away",
        "misnoted",
    ),
    _mutant(
        "what-has-no-queue-comes-back",
        "queue.rabbitmq.frames",
        "mandatory=True",
        "mandatory=False",
        "queue deleted",
        "dropped",
    ),
    _mutant(
        "a-mark-needs-the-attempt",
        "store.notification.publications",
        "        n.c.attempt == _named.c.attempt,\n        WithoutWaitingForDisk(),\n",
        "        WithoutWaitingForDisk(),\n",
        "confirms held, provider weather",
        "misnoted early",
    ),
    _mutant(
        "what-comes-while-it-pauses-is-held",
        "queue.rabbitmq.consumer",
        "            with suppress(asyncio.CancelledError):\n"
        "                await self._is_detached.wait()\n",
        "",
    ),
    # --- stops and deaths -------------------------------------------------------------------
    _mutant(
        "consumers-are-cancelled-before-the-gate-closes",
        "worker.consumers",
        "        await _settled(subscription.pause() for subscription in self._subscriptions)\n"
        "        for slots in self._slots.values():\n"
        "            slots.close()\n"
        "        self._deliverer.close()\n",
        "        for slots in self._slots.values():\n"
        "            slots.close()\n"
        "        self._deliverer.close()\n"
        "        await _settled(subscription.pause() for subscription in self._subscriptions)\n",
    ),
    _mutant(
        "the-gate-closes-at-a-stop",
        "delivery.deliverer",
        "        self._closing.set()\n        self._gate.close()\n",
        "        self._closing.set()\n",
        "stop, pause",
        "interrupted",
    ),
    _mutant(
        "a-dead-workers-leases-end",
        "worker.leases",
        "            await self._upkeep.end_leases(worker)\n",
        "            await asyncio.sleep(0)\n",
        "kill",
        "held",
    ),
    _mutant(
        "a-dead-workers-leases-are-looked-for-again",
        "worker.leases",
        "        if is_done and death.is_clean:\n",
        "        if is_done:\n",
    ),
    _mutant(
        "leases-end-once-the-database-is-back",
        "worker.leases",
        "        for _ in range(TRIES):\n",
        "        for _ in range(1):\n",
        "kill, database away",
        "held",
    ),
    _mutant(
        "a-hung-worker-is-killed",
        "worker.supervisor",
        "                self._process.kill()\n                await self._dead.wait()\n",
        "                pass\n",
        "freeze",
        "undead",
    ),
    _mutant(
        "a-dead-worker-is-started-again",
        "worker.supervisor",
        "await asyncio.gather(self._tell(death), asyncio.sleep(delay_s))\n",
        "await asyncio.gather(self._tell(death), asyncio.sleep(1e9))\n",
        "kill",
        "stuck",
    ),
    # --- clients ----------------------------------------------------------------------------
    _mutant(
        "a-key-is-looked-up",
        "store.notification.intake",
        "    kept = {**firsts, **await keys.keep(connection, list(firsts.values()))}\n",
        "    kept = firsts\n",
        "answer lost, database slow",
        "doubled-record",
    ),
    _mutant(
        "a-worker-ends-whose-consumers-are-silent",
        "composition.workers",
        "        strikes = strikes + 1 if problem else 0\n",
        "        strikes = 0\n",
        "consumers forgotten",
        "stuck slow",
    ),
    # --- content -----------------------------------------------------------------------------
    _mutant(
        "a-notification-keeps-its-version",
        "store.templates.library",
        "query = select(template_versions).where(_v.id == id)",
        "query = select(template_versions).order_by(_v.number.desc()).limit(1)",
        "publish",
        "misworded",
    ),
    # --- people ------------------------------------------------------------------------------
    _mutant(
        "what-people-want-is-looked-at-again-at-the-claim",
        "delivery.addressing",
        "        if withheld := _withheld(decide(occasion, person, now), now):\n",
        "        if (withheld := _withheld(decide(occasion, person, now), now)) and False:\n",
        "choose, quiet hours, pause",
        "unwanted",
    ),
    _mutant(
        "quiet-hours-are-kept-at-the-claim",
        "delivery.addressing",
        "            return Deferred(why.code, why.words, (until - now).total_seconds())\n",
        "            return None\n",
        "quiet hours, pause",
        "unwanted",
    ),
    _mutant(
        "what-is-held-waits-for-the-end-of-quiet-hours",
        "delivery.addressing",
        "            return Deferred(why.code, why.words, (until - now).total_seconds())\n",
        "            return Deferred(why.code, why.words, 1.0)\n",
        "quiet hours, pause",
        "held-again",
    ),
    _mutant(
        "an-address-is-looked-for-at-the-claim",
        "delivery.addressing",
        "        if there.address == claimed.recipient:\n",
        "        if there.address == claimed.recipient or True:\n",
        "move, pause",
        "misaddressed",
    ),
    _mutant(
        "who-left-gets-nothing",
        "delivery.addressing",
        "            return _GONE\n",
        "            return Addressed(claimed)\n",
        "leave, pause",
        "misaddressed unwanted",
    ),
    _mutant(
        "who-has-no-address-any-more-gets-nothing",
        "delivery.addressing",
        "            return _NOWHERE\n",
        "            return Addressed(claimed, person)\n",
        "move, pause",
        "misaddressed unwanted",
    ),
    _mutant(
        "a-claim-looks-at-the-list",
        "store.notification.attempts",
        "    suppressing.is_suppressed(n.c).label",
        "    (suppressing.is_suppressed(n.c) & n.c.id.is_(None)).label",
        "suppress, choose, pause",
        "unwanted",
    ),
    _mutant(
        "what-is-required-cannot-be-switched-off",
        "audience.preference",
        "    if not category.can_switch_off:\n        return True, Why(",
        "    if not category.can_switch_off and not choices:\n        return True, Why(",
        "choose",
        "withheld",
    ),
    _mutant(
        "quiet-hours-hold-up-nothing-urgent",
        "audience.preference",
        "        return self.is_required or self.lane is Lane.HIGH\n",
        "        return self.is_required\n",
        "quiet hours",
        "held-up",
    ),
    _mutant(
        "a-cap-ends",
        "store.caps",
        '    where=_u.used < parameter("limit", Integer),\n',
        '    where=_u.used < parameter("limit", Integer) + 100,\n',
        "choose",
        "over-cap",
    ),
    _mutant(
        "a-new-address-is-looked-for-on-the-list",
        "store.notification.redirecting",
        "    is_barred = is_suppressed(n.c)\n",
        "    is_barred = is_suppressed(n.c) & n.c.id.is_(None)\n",
        "suppress, move, pause",
        "unwanted",
    ),
    _mutant(
        "a-cap-counts-each-once",
        "store.caps",
        '    .where(n.c.id == parameter("which_id", Uuid), n.c.is_counted.is_(None))\n',
        '    .where(n.c.id == parameter("which_id", Uuid))\n',
        "choose, provider weather",
        "miscounted",
    ),
    _mutant(
        "what-is-over-a-cap-is-not-counted",
        "store.caps",
        "            await connection.rollback()\n            return False\n",
        "            return False\n",
        "choose",
        "miscounted",
    ),
    _mutant(
        "each-takes-one-of-its-cap",
        "delivery.addressing",
        "        if not isinstance(there, Addressed) or use is None:\n",
        "        if not isinstance(there, Addressed) or use is None or use.limit:\n",
        "choose",
        "uncounted",
    ),
    _mutant(
        "digests-of-who-is-forgotten-go",
        "store.erasing.holders",
        "(delete(digest_items).where(digest_items.c.digest_id.in_(ids)))",
        "(delete(digest_items).where(digest_items.c.digest_id.in_([])))",
        "erase",
        "traces",
    ),
    _mutant(
        "what-waits-for-who-is-forgotten-is-not-sent",
        "store.erasing.stepping",
        "(leave_directory, cancel, rename, *OTHERS, stop_others)",
        "(leave_directory, rename, *OTHERS, stop_others)",
        "erase",
        "haunted traces",
    ),
    _mutant(
        "an-id-from-before-a-merge-leads-to-who-stays",
        "store.recipients.merging",
        "    await connection.execute(_ADD_ALIAS, ids)\n",
        "",
        "merge",
        "misled",
    ),
    _mutant(
        "what-either-switched-off-stays-off-after-a-merge",
        "store.recipients.merging",
        '        "chosen": target.choices.merged(source.choices).encode(),\n',
        '        "chosen": target.choices.encode(),\n',
        "merge",
        "overruled",
    ),
    # --- broadcasts --------------------------------------------------------------------------
    _mutant(
        "a-broadcast-that-was-stopped-goes-no-further",
        "store.broadcasts.expanding",
        '    .where(IS_NAMED, is_in(State.EXPANDING), _b.place == parameter("seen"))\n',
        '    .where(IS_NAMED, _b.place == parameter("seen"))\n',
        "broadcast, database slow",
        "strayed stuck",
    ),
    _mutant(
        "members-are-looked-at-by-one-only",
        "store.broadcasts.expanding",
        '    .where(IS_NAMED, is_in(State.EXPANDING), _b.place == parameter("seen"))\n',
        "    .where(IS_NAMED, is_in(State.EXPANDING))\n",
        "broadcast, freeze, database slow",
        "counts",
    ),
    _mutant(
        "who-is-left-out-is-not-told",
        "broadcasts.looking",
        "        return {*said, *(each.user_id for each in people.values())}\n",
        "        return {*people} - {*said}\n",
        "broadcast",
        "no-member",
    ),
    _mutant(
        "what-a-cancelled-broadcast-has-waiting-is-cancelled",
        "broadcasts.expanding",
        '            Duty("broadcasts.cancel", _CANCEL_EVERY_S, self.cancel),\n',
        "",
        "broadcast",
        "stuck",
    ),
    _mutant(
        "a-broadcast-ends-behind-its-last-member",
        "broadcasts.expanding",
        "        is_last = len(members) < allowed.members\n",
        "        is_last = len(members) <= allowed.members\n",
        "broadcast",
        "missed",
    ),
    # --- schedules ---------------------------------------------------------------------------
    _mutant(
        "a-run-and-what-it-makes-are-one",
        "store.schedules.firing",
        "    await _make(connection, _of_runs(ours, runs), pseudonyms)\n",
        "",
        "schedule",
        "unlike-runs",
    ),
    _mutant(
        "slots-are-looked-for-from-the-last-one-on",
        "schedules.due",
        "    after = _place(schedule, zones)\n",
        "    after = max(_place(schedule, zones), now - timedelta(seconds=5))\n",
        "schedule, database away",
        "lost-slot",
    ),
    _mutant(
        "a-paused-schedule-is-not-due",
        "store.schedules.keeping",
        "    .values(paused_at=Now(), look_at=null(), **_NEXT_TURN)\n",
        "    .values(paused_at=Now(), **_NEXT_TURN)\n",
        "schedule",
        "unpaused",
    ),
    _mutant(
        "a-schedule-goes-by-the-clocks-of-its-zone",
        "schedules.clocks",
        "            return [timing.zone]\n",
        '            return ["UTC"]\n',
        "schedule",
        "lost-slot no-slot",
    ),
    _mutant(
        "a-time-that-clocks-skip-comes-behind-the-gap",
        "wall_time",
        "    return first if first <= other else _change(other, first, zone)\n",
        "    return first\n",
        "schedule, days",
        "lost-slot no-slot",
    ),
    _mutant(
        "a-time-that-clocks-show-twice-comes-the-first-time",
        "wall_time",
        "    return first if first <= other else _change(other, first, zone)\n",
        "    return other if first <= other else _change(other, first, zone)\n",
        "schedule, days",
        "lost-slot no-slot",
    ),
    _mutant(
        "a-slot-is-recorded-by-who-has-the-turn",
        "store.schedules.firing",
        "    .where(_s.turn == _given.c.turn)\n    .order_by(_s.id)\n",
        "    .where(_s.turn >= 0)\n    .order_by(_s.id)\n",
        "schedule, database slow",
        "unpaused",
    ),
    # --- events ------------------------------------------------------------------------------
    _mutant(
        "an-event-has-its-effects-once",
        "store.events.recording",
        "        fresh = [each for each in firsts.values() if each.id in new]\n",
        "        fresh = [*firsts.values()]\n",
        "events",
        "event-lost unlike-matches log",
    ),
    _mutant(
        "what-an-event-takes-back-is-cancelled",
        "store.events.recording",
        "    for each in reaction.effects.cancels:\n",
        "    for each in reaction.effects.cancels[:0]:\n",
        "events",
        "not-taken-back",
    ),
    _mutant(
        "what-is-taken-back-leaves-its-digest",
        "store.events.recording",
        "        if each.unless_event is None:\n",
        "        if each.unless_event is None and not each.key:\n",
        "events",
        "item-kept",
    ),
    _mutant(
        "a-throttle-holds-back",
        "store.events.throttling",
        "        if nth > allowed.count:\n",
        "        if nth > allowed.count + 100:\n",
        "events",
        "throttle",
    ),
    _mutant(
        "a-digest-waits-for-its-end",
        "store.events.closing",
        "_is_due = _d.closed_at.is_(None) & (_d.due_at <= Now())\n",
        "_is_due = _d.closed_at.is_(None)\n",
        "events",
        "digest-early",
    ),
    _mutant(
        "a-relay-closes-digests",
        "composition.relaying",
        "        *DigestDuty(stores.digests, reactor, resources.event_tally).all(),\n",
        "",
        "events",
        "stuck",
    ),
    _mutant(
        "what-has-arrived-keeps-back-what-follows",
        "delivery.preparing",
        "            if claimed.unless and await self.fates.has_come(claimed.unless):\n",
        "            if claimed.unless and not await self.fates.has_come(claimed.unless):\n",
        "events",
        "needless withheld",
    ),
    _mutant(
        "an-event-is-acknowledged-once-it-is-stored",
        "queue.rabbitmq.event_queue",
        "        fates = await self._fates([_delivery(each) for each in messages])\n"
        "        for message, fate in zip(messages, fates, strict=True):\n"
        "            if isinstance(fate, Refused):\n"
        '                log.warning("event.refused", reason=fate.reason)\n'
        "                await self._bury(channel, message, fate.reason)\n"
        "            await message.ack()\n",
        "        for message in messages:\n"
        "            await message.ack()\n"
        "        await self._fates([_delivery(each) for each in messages])\n",
        "events, database away, kill",
        "event-lost",
    ),
    _mutant(
        "what-is-no-event-goes-to-the-dead-queue",
        "queue.rabbitmq.event_queue",
        "                await self._bury(channel, message, fate.reason)\n",
        "                pass\n",
        "events",
        "junk-lost",
    ),
    _mutant(
        "a-rule-has-a-category-of-its-own",
        "events.planning",
        "            counts_as=self.rule.category,\n",
        "            counts_as=None,\n",
        "events, choose",
        "withheld",
    ),
    _mutant(
        "a-service-has-quiet-hours-of-its-own",
        "audience.preference",
        "    hours = own or occasion.quiet_hours\n",
        "    hours = own\n",
        "declare",
        "unwanted",
    ),
    _mutant(
        "a-category-has-defaults",
        "audience.category",
        "        return self.defaults.get(channel, True)\n",
        "        return True\n",
        "declare",
        "unwanted",
    ),
    # --- what else keeps it ------------------------------------------------------------------
    _mutant(
        "a-batch-is-split-row-by-row",
        "store.kit.batcher",
        "            await self._answer_one_by_one(batch, error)\n        except Exception",
        "            _refuse(batch, error)\n        except Exception",
        "row refused",
        "refused",
    ),
    _mutant(
        "a-slot-that-came-too-late-goes-on",
        "worker.slots",
        "                self.give_back()\n            raise\n",
        "                pass\n            raise\n",
    ),
    _mutant(
        "a-worker-without-its-database-lets-go",
        "worker.store_watch",
        "            await self._consumers.let_go(Hold.OUTAGE)\n",
        "",
        "database parted",
        "kept",
    ),
    _mutant(
        "short-outages-give-nothing-back",
        "evidence",
        "        if has_settled or not is_probe:\n",
        "        if has_settled:\n",
        "database away",
        "bounced",
    ),
    # --- replays ----------------------------------------------------------------------------
    _mutant(
        "a-replay-keeps-its-rate",
        "replays.pacing",
        "    saved = int(rate_per_s * min(unspent_s, MOST_SAVED_S) + 1e-6)\n",
        "    saved = most\n",
        "replays",
        "hurried",
    ),
    _mutant(
        "a-replay-that-is-paused-or-stopped-goes-no-further",
        "store.replays.working",
        "    return up.where(is_in(state), _r.look_at <= Now())",
        "    rests = (State.PAUSED, State.STOPPED) if state is State.RUNNING else ()\n"
        "    return up.where(is_in(state, *rests), _r.look_at <= Now())",
        "replays",
        "went-on",
    ),
    _mutant(
        "what-the-database-does-not-know-is-buried",
        "delivery.settling",
        "    return Settlement.BURY\n",
        "    return Settlement.ACK\n",
    ),
    _mutant(
        "times-are-those-of-the-database",
        "store.kit.clock",
        "        return self._machine.now() - timedelta(seconds=self._ahead_s)\n",
        "        return self._machine.now()\n",
        "clock",
        "refused",
    ),
    _mutant(
        "what-comes-back-counts-as-not-published",
        "queue.rabbitmq.frames",
        "Fate.RETURNED if returned else Fate.REFUSED",
        "Fate.CONFIRMED if returned else Fate.REFUSED",
        "queue deleted",
        "misnoted",
    ),
    _mutant(
        "an-offer-that-waited-too-long-is-left-to-a-relay",
        "intake.publishing",
        "            if now_s < offer.until_s:\n",
        "            if now_s < offer.until_s + 1e9:\n",
    ),
    _mutant(
        "a-receipt-waits-for-the-end-of-an-attempt",
        "store.receipts.applying",
        "    return is_under_way and receipt.transition is not None\n",
        "    return False\n",
        "provider weather",
        "unheard",
    ),
    _mutant(
        "a-receipt-counts-once",
        "store.receipts.applying",
        "    return [receipt for event, receipt in firsts.items() if event in new]\n",
        "    return [receipt for event, receipt in firsts.items() if event in new or True]\n",
    ),
    _mutant(
        "a-receipt-settles-only-what-is-in-doubt",
        "store.receipts.applying",
        "        if not is_unknown:\n            return ()\n",
        "",
    ),
    _mutant(
        "a-claim-expires-what-is-overdue",
        "store.notification.attempts",
        "_is_overdue = and_(n.c.expires_at.is_not(None), n.c.expires_at <= Now())",
        "_is_overdue = and_(n.c.expires_at.is_not(None), n.c.expires_at.is_(None))",
        "pause",
        "overdue",
    ),
    _mutant(
        "a-relay-expires",
        "delivery.duties",
        '            Duty("expire", pace.rescue_every_s, self.expire),\n',
        "",
        "pause",
        "waiting",
    ),
)

UNNOTICED: Mapping[str, str] = {
    "a-claim-is-given-back-once-the-database-is-back": (
        "tests/contract/worker/test_delivery.py::"
        "test_a_claim_that_a_shutdown_cut_off_is_given_back_once_the_database_is_back:"
        " a stop seldom comes between a claim and its answer; worlds are not sure to notice"
    ),
    "a-slot-is-recorded-by-who-has-the-turn": (
        "tests/contract/store/test_schedules.py::"
        "test_whoever_comes_late_with_a_turn_changes_nothing:"
        " nobody stands still between taking a turn and recording for as long as a turn is held"
    ),
    "members-are-looked-at-by-one-only": (
        "tests/contract/store/test_broadcasts.py::"
        "test_of_two_who_looked_at_the_same_members_one_records_them:"
        " nobody stands still between looking and recording for as long as a broadcast is held"
    ),
    "an-unanswered-claim-is-asked-for-once-more-at-a-stop": (
        "tests/unit/delivery/test_waiting.py::"
        "test_what_was_not_answered_is_asked_once_more_at_a_stop:"
        " a stop seldom comes between a claim and its answer; worlds are not sure to notice"
    ),
    "a-dead-workers-leases-are-looked-for-again": (
        "tests/contract/worker/test_leases.py::"
        "test_a_claim_that_commits_after_its_workers_death_is_found_a_little_later:"
        " who writes after a claim waits for it, where PostgreSQL would pass it by"
    ),
    "what-comes-while-it-pauses-is-held": (
        "tests/integration/test_rabbitmq.py::"
        "test_a_stop_of_many_busy_consumers_gives_back_once_and_at_once:"
        " all consumers are cancelled in the same moment, since no CPU takes any time"
    ),
    "consumers-are-cancelled-before-the-gate-closes": (
        "tests/contract/worker/test_consumer.py::"
        "test_what_waits_is_given_back_once_no_consumer_is_left:"
        " the back-off holds for longer than a cancellation takes what goes back too early"
    ),
    "a-slot-that-came-too-late-goes-on": (
        "tests/unit/worker/test_slots.py::test_a_waiter_cancelled_as_its_turn_comes_hands_the_slot_on:"
        " only a worker that ends cancels who waits"
    ),
    "what-the-database-does-not-know-is-buried": (
        "tests/contract/worker/test_delivery.py::"
        "test_a_message_of_no_notification_is_buried_and_told_of:"
        " the database of a world loses nothing that it had"
    ),
    "an-offer-that-waited-too-long-is-left-to-a-relay": (
        "tests/contract/worker/test_publishing.py::"
        "test_what_waited_too_long_for_its_turn_is_left_to_the_relay:"
        " a second message costs nothing but itself"
    ),
    "a-receipt-counts-once": (
        "tests/contract/store/test_receipts.py::test_a_known_event_does_not_suppress_again:"
        " told twice, no state goes further; only lists, and no provider of a world asks for one"
    ),
    "a-receipt-settles-only-what-is-in-doubt": (
        "tests/contract/store/test_receipts.py::"
        "test_what_is_known_not_to_be_sent_is_never_revived:"
        " no provider of a world tells of what it did not take"
    ),
}
"""Mechanisms that no world misses, and which tests hold them."""


def _be_impatient() -> None:
    world.SETTLE_S = _SETTLE_S


def noticed(mutant: Mutant, made: Template) -> str:
    """What is found in the worlds that are kept of it, or that it is MISSED.

    Where a world goes wrong without the mechanism, it has to go well with it.
    """
    found: Sequence[str] = ()
    for plan in mutant.plans:
        there = verdict(plan, made, prepare=mutant.apply_soon)
        if there.kinds & mutant.found:
            usual = verdict(plan, made, prepare=_be_impatient)
            if usual.findings:
                return f"MISSED: {usual.findings[0]}"
            return next(each for each in there.findings if kind_of(each) in mutant.found)
        found = there.findings
    return f"MISSED: {', '.join(found) or 'nothing was found'}"


def mutant(name: str) -> Mutant:
    """The mutant of this name; raises KeyError."""
    return {each.name: each for each in MUTANTS}[name]

"""Which endpoints there are for whoever runs notifier, and what each is given."""

from collections.abc import Sequence

from notifier.api.audit import AuditEndpoints
from notifier.api.erasures import ErasureEndpoints
from notifier.api.health import HealthEndpoints
from notifier.api.kit.config import ApiConfig
from notifier.api.kit.operations import Operation
from notifier.api.making import Common
from notifier.api.ports import ApiPorts
from notifier.api.providers.checking import ProviderChecks
from notifier.api.providers.endpoints import ProviderEndpoints
from notifier.api.providers.testing import ProviderTests
from notifier.api.retention import RetentionEndpoints
from notifier.api.statistics import StatisticsEndpoints
from notifier.api.workers import WorkerEndpoints


def operations_for_operators(
    ports: ApiPorts, config: ApiConfig, common: Common
) -> Sequence[Operation]:
    """Declare the endpoints by which notifier itself is looked after."""
    health = HealthEndpoints(
        queries=ports.queries,
        queue=ports.queue,
        providers=ports.providers,
        clock_problem=ports.clock_problem,
        examine=ports.watching.examine,
        routes=config.routes,
        probe_timeout_s=config.probe_timeout_s,
    )
    kept = ports.keeping
    retention = RetentionEndpoints(rules=kept.rules, defaults=config.retention)
    erasures = ErasureEndpoints(
        erasures=kept.erasures, pseudonyms=kept.pseudonyms, new_id=ports.new_id
    )
    return (
        *health.operations(),
        *WorkerEndpoints(roster=ports.watching.roster).operations(),
        *_on_accounts(ports, config, common),
        *retention.operations(),
        *erasures.operations(),
        *AuditEndpoints(log=kept.audit).operations(),
        *StatisticsEndpoints(statistics=kept.statistics, clock=ports.clock).operations(),
    )


def _on_accounts(ports: ApiPorts, config: ApiConfig, common: Common) -> Sequence[Operation]:
    accounts = ProviderEndpoints(providers=ports.providers, routes=config.routes, bench=ports.bench)
    return (
        *accounts.operations(),
        *ProviderChecks(ports.bench).operations(),
        *ProviderTests(common.testing).operations(),
    )

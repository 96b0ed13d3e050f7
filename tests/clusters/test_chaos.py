"""The chaos run on a cluster: what it is told, and loses nothing of."""

from dataclasses import replace
from pathlib import Path

import uvloop

from tests.servers.cluster import Cluster
from tests.servers.postgres_pair import PostgresPair
from tools.chaos.cluster import clustered
from tools.chaos.plan import KINDS_OF_CLUSTER, KINDS_OF_ONE, Kind
from tools.chaos.run import Options, Progress, run

# A node that leads much is killed all the same, and a rolling restart takes minutes.
KINDS = KINDS_OF_CLUSTER - KINDS_OF_ONE - {Kind.NODE_KILLED, Kind.ROLLING_RESTART}


def test_nothing_is_lost_while_a_cluster_breaks(
    synchronous_pair: PostgresPair, cluster: Cluster, tmp_path: Path
) -> None:
    options = Options(
        notifications=1_000,
        seed=2,
        faults=len(KINDS),
        duration_s=75,
        settle_s=180,
        folder=tmp_path / "chaos",
    )
    shown: list[Progress] = []

    with clustered(synchronous_pair, cluster, synchronous=True) as servers:
        report = uvloop.run(run(options, replace(servers, kinds=KINDS), shown.append))

    assert report.problems() == []
    assert report.accepted == 1_000
    assert set(report.faults) == KINDS
    assert shown[-1].final == 1_000

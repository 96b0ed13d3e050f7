"""Worlds, some of each seed and some that once went wrong, in which nothing goes wrong."""

import json
from pathlib import Path

import pytest

from notifier.notification.transitions import DEFER, REPLAY, SETTLE
from tests.simulation.command import simulate
from tests.simulation.plan import Kind, Plan, plan_of

WORLDS = 100
AIMED = 16
RARE = [each.name for each in (DEFER, REPLAY, SETTLE)]
KEPT = sorted((Path(__file__).parent / "kept").glob("*.json"))


def test_nothing_goes_wrong_in_any_world() -> None:
    done = simulate("--processes", 2, "--seeds", WORLDS)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{WORLDS} worlds" in done.stdout


def test_what_is_rare_is_taken_where_it_is_aimed_at() -> None:
    aims = (Kind.QUIET, Kind.PROVIDER_WEATHER, Kind.REPLAY)
    only = [word for kind in aims for word in ("--only", kind)]

    done = simulate("--processes", 2, "--seeds", AIMED, *only)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "was never taken" in done.stdout
    assert all(f"{name} was never taken" not in done.stdout for name in RARE)


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.stem)
def test_what_once_went_wrong_goes_well(kept: Path) -> None:
    done = simulate("--plan", kept, "--as-found")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 worlds" in done.stdout


def test_a_seed_is_the_same_world_every_time() -> None:
    def worlds(hash_seed: int) -> list[str]:
        of = ("--processes", 1, "--seeds", 12, "--digests")
        done = simulate(*of, hash_seed=hash_seed)
        assert done.returncode == 0, done.stdout + done.stderr
        return sorted(line for line in done.stdout.splitlines() if line.startswith("seed "))

    first = worlds(0)

    assert len({line.split()[2] for line in first}) == 12
    assert worlds(1) == first


def test_a_plan_is_kept_as_data() -> None:
    plan = plan_of(7)

    assert Plan.from_data(json.loads(json.dumps(plan.as_data()))) == plan


def test_the_plans_name_every_kind_of_fault() -> None:
    kinds = {fault.kind for seed in range(300) for fault in plan_of(seed).faults}

    assert kinds == set(Kind)

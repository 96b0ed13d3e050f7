"""`./scripts/simulate`: many worlds, what was found in them, and how to see it again."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.simulation.coverage import table
from tests.simulation.mutants import MUTANTS, Mutant, mutant, noticed
from tests.simulation.plan import Kind, Plan, plan_of
from tests.simulation.run import DIED, Template, Verdict, shrunk, template, verdict, verdicts

_TRACE_LINES = 60
_DASHES = 4
_DULL = ("event=http.request", "event=delivery.finished")


def main(arguments: Sequence[str]) -> int:
    """Run worlds; 1 if anything was found."""
    options = _parser().parse_args(arguments)
    began_s = time.monotonic()
    with template() as made:
        if options.mutants:
            return _show_mutants(made)
        plans = _plans(options)
        found, counts = [], Counts()
        running = verdicts(
            plans,
            made,
            processes=options.processes,
            prepare=_prepare(options),
        )
        for each in running:
            counts.add(each)
            if options.digests:
                print(f"seed {each.plan.load}: {each.digest}")
            if each.findings:
                found.append(each)
                print(_line(each), flush=True)
            if len(found) >= options.stop_after:
                break
        print(counts.text(time.monotonic() - began_s))
        for each in found[: options.show]:
            _explain(each, made, options)
    return 1 if found else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./scripts/simulate",
        description="Run whole worlds of notifier in virtual time, each with its own faults.",
    )
    parser.add_argument("--seeds", type=int, default=1_000, help="how many worlds (1000)")
    parser.add_argument("--first", type=int, default=0, help="the first of their seeds (0)")
    parser.add_argument("--seed", type=int, help="this one world, with its trace")
    parser.add_argument("--plan", type=Path, help="the world of a plan that was kept, as JSON")
    parser.add_argument(
        "--only",
        type=Kind,
        choices=list(Kind),
        action="append",
        default=[],
        metavar="KIND",
        help=f"only faults of this kind: {', '.join(Kind)}",
    )
    parser.add_argument(
        "--without",
        type=_mutant,
        metavar="MECHANISM",
        help="take a mechanism out of notifier, one of those in tests/simulation/mutants.py",
    )
    parser.add_argument(
        "--mutants",
        action="store_true",
        help="take each of them out, in the world that is kept of it; 1 if one is not noticed",
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--stop-after", type=int, default=10, help="findings after which to stop")
    parser.add_argument("--show", type=int, default=1, help="how many findings to shrink and trace")
    parser.add_argument("--digests", action="store_true", help="print how each world went")
    parser.add_argument("--as-found", action="store_true", help="do not shrink what was found")
    return parser


def _mutant(name: str) -> Mutant:
    try:
        return mutant(name)
    except KeyError:
        names = "\n  ".join(each.name for each in MUTANTS)
        raise argparse.ArgumentTypeError(f"one of:\n  {names}") from None


def _show_mutants(made: Template) -> int:
    """Say of each mechanism whether a world goes wrong without it, and as well as ever with it."""
    missed = 0
    for each in MUTANTS:
        if each.path.exists():
            found = noticed(each, made)
            missed += "MISSED" in found
            print(f"{each.name}: {found}", flush=True)
    return 1 if missed else 0


def _plans(options: argparse.Namespace) -> Iterator[Plan]:
    if options.plan:
        yield Plan.from_data(json.loads(options.plan.read_text()))
    elif options.seed is not None:
        yield plan_of(options.seed, _kinds(options))
    else:
        for seed in range(options.first, options.first + options.seeds):
            yield plan_of(seed, _kinds(options))


def _prepare(options: argparse.Namespace) -> Callable[[], None] | None:
    return options.without.apply if options.without else None


def _kinds(options: argparse.Namespace) -> Sequence[Kind]:
    """The kinds asked for, else those that show what was taken out."""
    kinds: Sequence[Kind] = options.only or (options.without.only if options.without else ())
    return kinds


class Counts:
    """What was run, over all worlds."""

    def __init__(self) -> None:
        self._worlds = 0
        self._steps = 0
        self._virtual_s = 0.0
        self._cpu_s = 0.0
        self._faults: Counter[str] = Counter()
        self._covered: Counter[tuple[str, str]] = Counter()
        self._findings: Counter[str] = Counter()

    def add(self, verdict: Verdict) -> None:
        """Count a world."""
        self._worlds += 1
        self._steps += verdict.steps
        self._virtual_s += verdict.virtual_s
        self._cpu_s += verdict.cpu_s
        self._faults.update(fault.kind.value for fault in verdict.plan.faults)
        self._covered.update(verdict.covered)
        self._findings.update(verdict.kinds)

    def text(self, took_s: float) -> str:
        """A summary of several lines."""
        lines = [
            (
                f"{self._worlds} worlds in {took_s:.0f} s; in a second"
                f" {self._worlds / took_s:.1f} worlds, {self._steps / took_s:,.0f} steps,"
                f" {self._virtual_s / took_s:,.0f} virtual seconds;"
                f" {self._cpu_s / max(self._worlds, 1):.2f} s of CPU a world"
            ),
            "faults: " + ", ".join(f"{kind} {n}" for kind, n in sorted(self._faults.items())),
            *table(self._covered),
            "found: " + (", ".join(f"{k} {n}" for k, n in self._findings.items()) or "nothing"),
        ]
        return "\n".join(lines)


def _line(verdict: Verdict) -> str:
    return f"seed {verdict.plan.load}: {verdict.findings[0]}"


def _explain(found: Verdict, made: Template, options: argparse.Namespace) -> None:
    prepare = _prepare(options)
    small = found
    if DIED in found.kinds:
        print(f"\nseed {found.plan.load}, not made smaller, for each try would take as long")
        print(json.dumps(found.plan.as_data()))
        return
    if not options.as_found:
        small = shrunk(found, made, processes=options.processes, prepare=prepare)
    traced = verdict(small.plan, made, is_traced=True, prepare=prepare)
    print(f"\nseed {found.plan.load}, smallest world found:")
    print(json.dumps(small.plan.as_data()))
    print("\n".join(_relevant(traced)[-_TRACE_LINES:]))
    print("\n".join(traced.findings))
    only = "".join(f" --only '{kind}'" for kind in options.only)
    without = f" --without {options.without.name}" if options.without else ""
    print(f"again: ./scripts/simulate --seed {found.plan.load}{only}{without}")


def _relevant(traced: Verdict) -> list[str]:
    """The lines of a trace that tell of faults, or of what was found; all if it names no id."""
    ids = {word for finding in traced.findings for word in finding.split() if _is_id(word)}
    if not ids:
        return list(traced.trace)
    told = {"FAULT ", "LOG ", *ids}
    lines = [line for line in traced.trace if any(word in line for word in told)]
    return [line for line in lines if not line.endswith(_DULL)]


def _is_id(word: str) -> bool:
    return word.count("-") == _DASHES


if __name__ == "__main__":
    if not os.environ.get("PYTHONHASHSEED", "").isdecimal():
        # Sets of words keep their order from run to run: if it ever matters, it can be seen again.
        os.execve(  # noqa: S606
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main(sys.argv[1:]))

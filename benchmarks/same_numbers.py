"""Shows whether two commits of tfvae train and compute the same numbers, bit for bit.

    python benchmarks/same_numbers.py HEAD~1 HEAD
    python benchmarks/same_numbers.py main . --only estimators models/flow_prior
    python benchmarks/same_numbers.py v1 v2 --expect queries/sample --output same_numbers.json

OLD and NEW are commits, or folders with a checkout. A commit is unpacked into a temporary folder. Every group of
scenarios (`benchmarks/same_numbers_scenarios/`) runs in a new process for each of the two, with that folder first in
the import path and with the same number of threads. A scenario returns arrays by name: weights, metrics, draws,
reports. Arrays are equal if dtype, shape and bytes are equal.

The table has one line per scenario: the number of arrays, and "equal", or the largest difference and its array. The
exit status is 1 if a scenario fails, or differs and is not listed in `--expect`.

TensorFlow's graph optimizer may add the same numbers in another order if the nodes of a graph have other names. With
`--plain-graphs` it is disabled for both. A difference that then disappears was caused by this order.
"""

import argparse
import fnmatch
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent import futures
from pathlib import Path

import numpy as np
from same_numbers_scenarios import GROUPS
from same_numbers_scenarios.outcome import Outcome, is_complete, read_outcomes

BENCHMARKS = Path(__file__).resolve().parent
# Environment variables that must be equal for both.
ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "2",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "CUDA_VISIBLE_DEVICES": "",
    "COLUMNS": "120",
}


class Side:
    """Commit or folder with which scenarios are computed, and the results so far.

    Args:
        source: A commit, or a folder with a checkout.
        folder: An empty folder for the files of a commit and for results.
        cache: A folder that keeps the results of a commit, or None.
        plain_graphs: Whether TensorFlow's graph optimizer is disabled.
    """

    def __init__(self, source, folder, cache, plain_graphs):
        self._plain_graphs = plain_graphs
        self._kept = None
        self._folder = folder
        self.source = Path(source).resolve() if Path(source).is_dir() else folder / "source"
        if self.source.exists():
            return
        self.source.mkdir(parents=True)
        git = ["git", "-C", str(BENCHMARKS.parent)]
        archive = subprocess.run([*git, "archive", "--format=tar", source, "tfvae"], check=True, capture_output=True)
        subprocess.run(["tar", "-x", "-C", str(self.source)], input=archive.stdout, check=True)
        if cache is not None:
            commit = subprocess.check_output([*git, "rev-parse", source + "^{commit}"], text=True).strip()
            self._kept = Path(cache).resolve() / (commit + "-plain" * plain_graphs)

    def outcomes(self, group, patterns):
        """Runs the scenarios of a group in a fresh process; returns their outcomes by name."""
        results = self._folder / group if self._kept is None else self._kept / f"{group}-{digest_of(group)}"
        if not is_complete(results, patterns):
            results.mkdir(parents=True, exist_ok=True)
            self._run(group, patterns, results)
        return read_outcomes(results, patterns)

    def _run(self, group, patterns, results):
        command = [sys.executable, "-m", "same_numbers_scenarios", group, str(results), str(self.source), *patterns]
        path = os.pathsep.join(map(str, [self.source, BENCHMARKS]))
        with tempfile.TemporaryDirectory(prefix="same_numbers-") as folder:
            process = subprocess.run(
                [*command, "--plain-graphs"] if self._plain_graphs else command,
                cwd=folder,
                env={**os.environ, **ENVIRONMENT, "PYTHONPATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        if process.returncode:
            raise RuntimeError(f"{group} with {self.source} ended with {process.returncode}.\n{process.stdout}")


def digest_of(group):
    """Returns the digest of the files that define the scenarios of a group."""
    folder = BENCHMARKS / "same_numbers_scenarios"
    files = [folder / f"{name}.py" for name in (group, "parts", "outcome", "__main__")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def compare(name, old, new):
    """One row of the table, for two outcomes of a scenario."""
    row = {"scenario": name, "num_arrays": len(old.arrays), "seconds": [old.seconds, new.seconds], "different": []}
    errors = {side: outcome.error for side, outcome in (("OLD", old), ("NEW", new)) if outcome.error}
    if errors:
        return {**row, "verdict": f"failed in {' and '.join(errors)}", "errors": errors}
    missing = sorted(old.arrays.keys() ^ new.arrays.keys())
    different = [key for key in old.arrays if key in new.arrays and old.digests[key] != new.digests[key]]
    if not missing and not different:
        return {**row, "verdict": "equal"}
    distances = {key: distance(old.arrays[key], new.arrays[key]) for key in different}
    said = []
    if different:
        worst = max(distances, key=lambda key: np.nan_to_num(distances[key], nan=np.inf))
        said.append(f"{len(different)} differ, by up to {distances[worst]:.3g} ({worst})")
    if missing:
        said.append(f"{len(missing)} only in {'OLD' if missing[0] in old.arrays else 'NEW'} ({missing[0]}, ...)")
    return {**row, "verdict": "; ".join(said), "different": distances, "missing": missing}


def distance(a, b):
    """The largest absolute difference; infinity for other shapes or types."""
    if a.shape != b.shape or a.dtype != b.dtype or a.dtype.kind not in "biuf":
        return float("inf")
    with np.errstate(invalid="ignore"):
        return float(np.max(np.abs(a.astype("float64") - b.astype("float64")), initial=0.0))


def chosen(groups, only):
    """The groups to run, with the patterns of the scenarios of each."""
    patterns = [pattern if "/" in pattern else f"{pattern}/*" for pattern in only] or ["*"]
    found = {}
    for group in groups:
        mine = [pattern for pattern in patterns if fnmatch.fnmatch(group, pattern.split("/")[0])]
        if mine:
            found[group] = mine
    return found


def main():
    """Compares, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", help="a commit or a folder")
    parser.add_argument("new", help="a commit or a folder")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"group ({', '.join(GROUPS)}), or "
                        "GROUP/SCENARIO; * stands for anything")  # fmt: skip
    parser.add_argument("--expect", nargs="+", default=[], metavar="NAME", help="scenarios that are meant to differ")
    parser.add_argument("--in-turn", action="store_true", help="one process at a time; otherwise OLD and NEW run side "
                        "by side")  # fmt: skip
    parser.add_argument("--plain-graphs", action="store_true", help="without TensorFlow's graph optimizer")
    parser.add_argument("--cache", default=None, help="a folder that keeps the results of OLD, if it is a commit, for "
                        "the next comparison in the same environment")  # fmt: skip
    parser.add_argument("--output", default=None)
    arguments = parser.parse_args()
    rows, start = [], time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="same_numbers-") as folder:
        sides = [
            Side(arguments.old, Path(folder) / "old", arguments.cache, arguments.plain_graphs),
            Side(arguments.new, Path(folder) / "new", None, arguments.plain_graphs),
        ]
        for group, patterns in chosen(GROUPS, arguments.only).items():
            with futures.ThreadPoolExecutor(1 if arguments.in_turn else 2) as pool:
                ours, theirs = pool.map(lambda side: side.outcomes(group, patterns), sides)  # noqa: B023
            for name in [*ours, *(name for name in theirs if name not in ours)]:
                rows.append(compare(name, ours.get(name, Outcome.absent()), theirs.get(name, Outcome.absent())))
                expected = any(fnmatch.fnmatch(name, pattern) for pattern in arguments.expect)
                rows[-1]["expected"] = expected and rows[-1]["verdict"] != "equal"
                print(line_of(rows[-1]), flush=True)
    bad = [row for row in rows if row["verdict"] != "equal" and not row["expected"]]
    for row in bad:
        for side, error in row.get("errors", {}).items():
            print(f"\n{row['scenario']} in {side}:\n{error}")
    equal = sum(row["verdict"] == "equal" for row in rows)
    print(f"\n{equal} of {len(rows)} scenarios are equal, {len(bad)} differ unexpectedly; "
          f"{time.perf_counter() - start:.0f} s")  # fmt: skip
    if arguments.output:
        Path(arguments.output).write_text(json.dumps({"arguments": vars(arguments), "rows": rows}, indent=2))
    sys.exit(1 if bad or not rows else 0)


def line_of(row):
    """A line of the table."""
    expected = " (expected)" if row["expected"] else ""
    old, new = row["seconds"]
    return f"{row['scenario']:<42} {row['num_arrays']:4} arrays  {old:5.1f} {new:5.1f} s  {row['verdict']}{expected}"


if __name__ == "__main__":
    main()

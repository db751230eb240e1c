"""Compares a sweep over seeds with the same runs one after the other.

    python benchmarks/sweep.py --output sweep.json

Both are complete runs of the command line in new processes: `tfvae train` once per seed, and one `tfvae sweep` with all
seeds, whose processes train several runs each and share their programs. Data: the digits and a table of 16 columns,
with default settings.

Two ratios are printed, each the time of the sweep divided by the total of the single runs: with start-up, and without.
The start-up of a process is the time until the end of its first epoch: imports, data, building, tracing and compiling.
With several processes, their mean start-up is subtracted from the time of the sweep.

It also checks that all runs of the sweep are the single runs: the same curves, digit for digit, with one process (the
number of threads of a process changes the rounding of products).
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

NUM_ROWS, NUM_COLUMNS, NUM_FACTORS = 2000, 16, 4


def write_table(path):
    """Writes a table of linear factors with noise."""
    rng = np.random.default_rng(0)
    factors, loadings = rng.normal(size=(NUM_ROWS, NUM_FACTORS)), rng.normal(size=(NUM_FACTORS, NUM_COLUMNS))
    x = np.tanh(factors) @ loadings + 0.3 * rng.normal(size=(NUM_ROWS, NUM_COLUMNS))
    np.save(path, x.astype("float32"))


def run(*arguments):
    """Runs a command of tfvae. Returns its start, as seconds since 1970, and its duration."""
    start = time.time()
    subprocess.run([sys.executable, "-m", "tfvae.cli", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)
    return start, time.time() - start


def end_of_first_epoch(run_dir):
    """Returns the time of the first summary of a run, as seconds since 1970."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    (file,) = (run_dir / "tensorboard" / "train").glob("events.*")
    return min(event.wall_time for event in EventFileLoader(str(file)).Load() if event.HasField("summary"))


def curves(run_dir):
    """Returns the rows of metrics.csv without the times."""
    rows = list(csv.DictReader((run_dir / "metrics.csv").open()))
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def compare(name, data, arguments, folder):
    """Times both ways for one data set."""
    settings = f"[data]\nname = {json.dumps(str(data))}\n"
    if arguments.epochs:
        settings += f"[training]\nepochs = {arguments.epochs}\n"
    config, sweep = folder / f"{name}.toml", folder / f"{name}-sweep.toml"
    config.write_text(settings)
    sweep.write_text(f"[sweep]\nseeds = {arguments.seeds}\n{settings}")
    singles = []
    for seed in range(arguments.seeds):
        run_dir = folder / name / f"seed-{seed}"
        start, seconds = run("train", "--config", config, "--seed", seed, "--run-dir", run_dir)
        singles.append((seconds, end_of_first_epoch(run_dir) - start))
    total, startup = np.sum(singles, axis=0)
    rows = []
    for jobs in arguments.jobs:
        sweep_dir = folder / f"{name}-{jobs}"
        start, seconds = run("sweep", sweep, "--sweep-dir", sweep_dir, "--jobs", jobs)
        runs = [sweep_dir / "runs" / "001-run" / f"seed-{seed}" for seed in range(arguments.seeds)]
        firsts = sorted(end_of_first_epoch(run_dir) - start for run_dir in runs)[:jobs]
        same = sum(curves(run_dir) == curves(folder / name / run_dir.name) for run_dir in runs)
        row = {
            "data": name,
            "jobs": jobs,
            "seconds_of_single_runs": float(total),
            "startup_of_single_runs": float(startup),
            "seconds": seconds,
            "startup": float(np.mean(firsts)),
            "ratio": seconds / total,
            "ratio_without_startup": (seconds - np.mean(firsts)) / (total - startup),
            "runs_with_the_same_curves": same,
        }
        print(
            f"{name:<8} {arguments.seeds} seeds, {jobs} processes: {seconds:6.1f} s, alone {total:6.1f} s, ratio "
            f"{row['ratio']:.2f}, without start-up {row['ratio_without_startup']:.2f}, same curves: {same}",
            flush=True,
        )
        rows.append(row)
    return rows


def main():
    """Runs the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["digits", "table"], choices=["digits", "table"])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--jobs", type=int, nargs="+", default=sorted({1, os.cpu_count() or 1}))
    parser.add_argument("--epochs", type=int, help="Epochs of a run. (default: those of tfvae train)")
    parser.add_argument("--output", help="JSON file for all numbers.")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.npy"
        write_table(table)
        for name in arguments.data:
            rows += compare(name, {"digits": "digits", "table": table}[name], arguments, Path(folder))
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

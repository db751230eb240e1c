"""Compares `tfvae train --data adult.csv`, with its defaults, with CTGAN's `TVAE` and its defaults.

    pip install ctgan sdmetrics torch
    python benchmarks/tables.py adult.csv adult_test.csv --output tables/

The files are the Adult census table (UCI), 32,561 rows for training and 16,281 for tests, with a first row of names:
14 attributes and `income`. Missing cells are `?`. They are a category for TVAE and for all measures; tfvae takes them
for holes, and samples rows without any.

- Speed: both train for a few epochs in turns, in one process. The table shows rows per second (medians over turns) and
  the median over rounds of the ratio, with quartiles. TVAE trains on all rows, tfvae on the 80% of its training split.
- Rows: each trains once with its defaults and samples as many rows as the table has. For tfvae this is the time of
  `tfvae train` and `tfvae sample` as commands, from one .csv file to another.
- F1: classifiers are trained on the sampled rows, and tested on the real test rows. It is the F1 of `>50K`, the mean
  over the four classifiers of SDGym: decision tree, AdaBoost, logistic regression and perceptron. Real training rows
  are the reference.
- TV: the sum over columns of the total-variation distances between the marginals of sampled and of real rows. Numbers
  are in 20 bins of equally many real rows. Numbers that 5% of the real rows have, such as 0, are bins of their own.
- Quality: the score of `sdmetrics` for a single table.

The folder `--output` keeps the sampled rows and the results. A second call only does what is not there.
"""

import argparse
import importlib
import importlib.util
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
from contenders.tables_quality import quality, scores

# Name: its module, what has to be installed.
_CONTENDERS = {"tfvae": ("tables_with_tfvae", "tensorflow"), "TVAE": ("tables_with_ctgan", "ctgan")}


def make_contenders(path, frame):
    """Returns the contenders that are installed."""
    found = {}
    for name, (module, needed) in _CONTENDERS.items():
        if importlib.util.find_spec(needed) is None:
            print(f"{name:<8} not installed")
            continue
        found[name] = importlib.import_module(f"contenders.{module}").Contender(path, frame)
    return found


def speeds(contenders, repetitions, epochs):
    """Trains in turns, forwards and then backwards."""
    for contender in contenders.values():
        contender.train(1)
    rates = {name: [] for name in contenders}
    for repetition in range(repetitions):
        for name in list(contenders) if repetition % 2 else reversed(list(contenders)):
            start = time.perf_counter()
            number = contenders[name].train(epochs)
            rates[name].append(number / (time.perf_counter() - start))
    found = {}
    for name, values in rates.items():
        low, median, high = np.percentile(np.array(rates["tfvae"]) / np.array(values), [25, 50, 75])
        found[name] = {
            "rows_per_second": float(np.median(values)),
            "tfvae_by_it": {"median": float(median), "quartiles": [float(low), float(high)]},
        }
        print(f"{name:<8} {np.median(values):9.0f} rows/s   {median:5.2f} ({low:.2f}, {high:.2f})", flush=True)
    return found


def sampled(name, contender, folder, seed):
    """Returns sampled rows and the seconds they took. They are kept in the folder."""
    path, record = folder / f"{name}-{seed}.csv", folder / f"{name}-{seed}.json"
    if not record.exists():
        start = time.perf_counter()
        rows = contender.rows(seed, folder)
        seconds = time.perf_counter() - start
        rows.to_csv(path, index=False)
        record.write_text(json.dumps({"seconds": seconds}))
    return pd.read_csv(path, keep_default_na=False), json.loads(record.read_text())["seconds"]


def report(name, rows, train, test, seconds):
    """Measures rows and prints a line."""
    found = {"seconds": seconds, **scores(rows, train, test)}
    found["quality"] = quality(rows, train) if importlib.util.find_spec("sdmetrics") else None
    parts = ", ".join(f"{value:.3f}" for value in found["f1"].values())
    score = f"{found['quality']['score']:.4f}" if found["quality"] else "-"
    time_taken = "-" if seconds is None else f"{seconds:.0f} s"
    print(
        f"{name:<8} {time_taken:>7}   F1 {found['f1_mean']:.4f} ({parts})   TV {found['total_variation_sum']:.3f}   "
        f"quality {score}",
        flush=True,
    )
    return found


def main():
    """Compares, prints tables and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, help="the file of the training rows")
    parser.add_argument("test", type=Path, help="the file of the test rows")
    parser.add_argument("--output", type=Path, default=Path("tables-benchmark"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--repetitions", type=int, default=5, help="rounds of the comparison of speed; 0 leaves it out")
    parser.add_argument("--epochs", type=int, default=3, help="number of epochs in a turn")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    train, test = (pd.read_csv(path, keep_default_na=False) for path in (arguments.train, arguments.test))
    contenders = make_contenders(arguments.train.resolve(), train)
    found = {"speed": speeds(contenders, arguments.repetitions, arguments.epochs) if arguments.repetitions else None}
    found["rows"] = [{"name": "real", **report("real", train, train, test, None)}]
    for seed in arguments.seeds:
        for name, contender in contenders.items():
            rows, seconds = sampled(name, contender, arguments.output, seed)
            found["rows"].append({"name": name, "seed": seed, **report(name, rows, train, test, seconds)})
    (arguments.output / "results.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

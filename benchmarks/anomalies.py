"""Finds anomalies in three labelled data sets, beside two detectors of scikit-learn.

    python benchmarks/anomalies.py --output anomalies.json     # about half an hour on two cores

A model is trained on normal examples alone with the defaults of `tfvae train`, and scores normal and other examples
that it has not seen. The measure is the area under the ROC curve of `tfvae.evaluation.score`, in percent, beside those
of `sklearn.ensemble.IsolationForest` and `sklearn.neighbors.LocalOutlierFactor(novelty=True)` with their defaults, fit
to the same normal examples. All get numbers that are standardised by the normal examples, except for tables of tfvae,
which need none. The spread is the standard deviation over seeds: of the cut into training and test examples, and of
training. For digits it is that over the digits, which are all ten, or those of --digits.

* breast cancer: scikit-learn's table of 569 tumours, 30 columns. 60% of the 357 benign ones are for training; the
  others, and the 212 malignant ones, are scored.
* digits: MNIST without one digit, 10,000 images for training; 2,000 images of the test set are scored.
* ECG: the 292 normal beats of the training part of ECG5000, series of 140 values; its test part, 2,627 normal and 1,873
  other beats, is scored. --ecg gives the file, with the arrays x_train, y_train, x_test and y_test_abnormal.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
import sklearn.datasets
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor

import tfvae
from tfvae import tables
from tfvae.evaluation import auroc
from tfvae.training import RunConfig, train
from tfvae.training.load_data import load_data, load_other_data
from tfvae.training.run_data import RunData, evaluation_split
from tfvae.training.saved_run import load_run

NAMES = ("tfvae", "IsolationForest", "LocalOutlierFactor")
BRIEF = {"num_samples": 1, "num_importance_samples": 2, "num_examples": 1}  # of the report, which is not read
ECG = Path(__file__).parents[2] / "shared" / "data" / "series" / "ecg5000.npz"


def breast_cancer(seed):
    """Normal examples for training, examples to score, and which of them are anomalies."""
    found = sklearn.datasets.load_breast_cancer()
    is_malignant = found.target == 0
    benign = np.random.default_rng(seed).permutation(np.flatnonzero(~is_malignant))
    cut = int(0.6 * len(benign))
    test = np.concatenate([benign[cut:], np.flatnonzero(is_malignant)])
    return found.data[benign[:cut]], found.data[test], is_malignant[test]


def digits(digit):
    """The same, with one digit of MNIST as the anomaly."""
    splits = tfvae.data.load("mnist")
    rows = np.random.default_rng(digit).permutation(np.flatnonzero(splits.train.labels != digit))[:10_000]
    test = splits.test.rows(np.random.default_rng(digit).permutation(len(splits.test))[:2000])
    return splits.train.raw[rows], test.raw, test.labels == digit


def ecg(path):
    """The same, of heart beats."""
    with np.load(path) as file:
        return file["x_train"][file["y_train"] == 1], file["x_test"], file["y_test_abnormal"] == 1


def by_tfvae(normal, x, seed, columns=None):
    """Scores of a model with the defaults of `tfvae train`. Tables have names of columns."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("normal.npz" if columns is None else "normal.csv")
        if columns is None:
            np.savez(path, x=normal)
        else:
            pd.DataFrame(normal, columns=columns).to_csv(path, index=False)
        config = RunConfig.from_dict({"data": {"name": str(path)}, "training": {"seed": seed}, "evaluation": BRIEF})
        run_folder, _ = train(config, Path(folder) / "run")
        run = load_run(run_folder.path)
        reference = RunData(run.config, load_data(run.config)).validation
        if columns is None:
            np.savez(Path(folder) / "test.npz", x=x)
            x = evaluation_split(run.config, load_other_data(run.config, str(Path(folder) / "test.npz"), "test"))
        else:
            x, _ = tables.to_rows(pd.DataFrame(x, columns=columns), reference.schema)
        return tfvae.evaluation.score(run.vae, x, reference=reference).surprise


def by_others(normal, x, seed):
    """Scores of scikit-learn's detectors."""
    normal, x = (part.reshape(len(part), -1).astype("float32") for part in (normal, x))
    mean, stddev = normal.mean(axis=0), normal.std(axis=0)
    normal, x = ((part - mean) / np.where(stddev > 0, stddev, 1) for part in (normal, x))
    detectors = IsolationForest(random_state=seed), LocalOutlierFactor(novelty=True)
    return [-detector.fit(normal).score_samples(x) for detector in detectors]


def measure(examples, seed, columns=None):
    """Areas in percent, by detector."""
    normal, x, is_anomaly = examples
    begun = time.perf_counter()
    scores = [by_tfvae(normal, x, seed, columns), *by_others(normal, x, seed)]
    areas = {name: 100 * auroc(each, is_anomaly).area for name, each in zip(NAMES, scores, strict=True)}
    return {"seed": seed, **areas, "seconds": round(time.perf_counter() - begun, 1)}


def main():
    """Runs all sets, prints tables and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--digits", type=int, nargs="*", default=range(10))
    parser.add_argument("--ecg", type=Path, default=ECG)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    names = list(sklearn.datasets.load_breast_cancer().feature_names)
    runs = {"breast cancer": [(breast_cancer, seed, seed, names) for seed in range(arguments.seeds)]}
    runs["ECG"] = (
        [(ecg, arguments.ecg, seed, None) for seed in range(arguments.seeds)] if arguments.ecg.exists() else []
    )
    runs["digits"] = [(digits, digit, digit, None) for digit in arguments.digits]
    found = {}
    for name, planned in runs.items():
        found[name] = []
        for examples, argument, seed, columns in planned:
            found[name].append(measure(examples(argument), seed, columns))
            row = found[name][-1]
            print(
                f"{name} {seed}: {', '.join(f'{each} {row[each]:.1f}' for each in NAMES)}, {row['seconds']} s",
                flush=True,
            )
        if arguments.output:
            arguments.output.write_text(json.dumps(found, indent=1) + "\n")
    print("| AUROC in percent |", " | ".join(NAMES), "|")
    print("| --- |", " | ".join(["---"] * len(NAMES)), "|")
    for name, rows in found.items():
        if rows:
            columns = [np.array([row[each] for row in rows]) for each in NAMES]
            print(f"| {name} |", " | ".join(f"{areas.mean():.1f} ± {areas.std(ddof=1):.1f}" for areas in columns), "|")


if __name__ == "__main__":
    main()

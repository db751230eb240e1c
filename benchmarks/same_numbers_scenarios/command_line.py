"""`tfvae train` on the digits, begun, stopped and resumed, and the commands that read its run folder."""

import contextlib
import csv
import functools
import io
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
from matplotlib.image import imread

import tfvae
from same_numbers_scenarios.parts import flat, trained
from tfvae.cli import main

# Numbers of the machine and of the clock.
TIMES = re.compile("second|clock|memory|speed|time")
RUNS = Path("work") / "runs"
SMALL = "[evaluation]\nnum_samples = 2\nnum_importance_samples = 5\nnum_examples = 3\n"


def tfvae_command(*arguments):
    """Runs a command in this process; what it prints is shown when it fails."""
    said, before = io.StringIO(), sys.argv
    sys.argv = ["tfvae", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            main()
    except SystemExit as stop:
        if stop.code:
            raise RuntimeError(f"tfvae {' '.join(sys.argv[1:])}\n{said.getvalue()}") from stop
    finally:
        sys.argv = before


def train(name, *options):
    """A run with a short evaluation at its end."""
    RUNS.mkdir(exist_ok=True, parents=True)
    config = RUNS / "small.toml"
    config.write_text(SMALL)
    tfvae_command("train", "--config", config, "--run-dir", RUNS / name, *options)
    return RUNS / name


@functools.cache
def default_folder():
    """The default model, for two epochs."""
    return train("default", "--epochs", 2)


@functools.cache
def short_folder():
    """A small model on images binarised anew in each epoch, for one epoch, with checkpoints within it."""
    options = ["--hidden", "16,8", "--latent-size", 3, "--binarize", "dynamic", "--posterior", "tril", "--beta", 0.7]
    return train("short", *options, "--epochs", 1, "--batch-size", 64, "--checkpoint-steps", 8, "--keep", 20)


def numbers(folder):
    """Everything in a run folder but times: metrics, report, values of examples, the model and its last checkpoint."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {
        f"metrics/{name}": np.array([float(row[name]) for row in rows]) for name in rows[0] if not TIMES.search(name)
    }
    report = flat(json.loads((folder / "report.json").read_text()))
    found |= {f"report/{name}": value for name, value in report.items() if not TIMES.search(name)}
    with np.load(folder / "per_example.npz") as file:
        found |= {f"per_example/{name}": file[name] for name in file.files}
    found |= {f"model/{name}": array for name, array in trained(tfvae.load_model(folder / "model.keras")).items()}
    last = max((folder / "checkpoints").glob("epoch-*.keras"))
    return found | {f"checkpoint/{name}": array for name, array in trained(tfvae.load_model(last)).items()}


def resumed(folder):
    """A run of one epoch that goes on to two."""
    shutil.copytree(short_folder(), RUNS / "resumed")
    tfvae_command("train", "--resume", RUNS / "resumed", "--epochs", 2)
    return numbers(RUNS / "resumed")


def resumed_within_an_epoch(folder):
    """A run of which only what was on disk after eight steps is left, as a process that is killed then leaves it."""
    (RUNS / "killed" / "checkpoints").mkdir(parents=True)
    for name in ("config.toml", "environment.json"):
        shutil.copy(short_folder() / name, RUNS / "killed")
    first = min((short_folder() / "checkpoints").glob("epoch-*-step-*.keras"))
    shutil.copy(first, RUNS / "killed" / "checkpoints")
    tfvae_command("train", "--resume", RUNS / "killed", "--learning-rate", 0.002)
    return numbers(RUNS / "killed")


def written(*arguments, make=default_folder):
    """The scenario of a command that writes arrays."""

    def scenario(folder):
        command, *others = arguments
        tfvae_command(command, make(), *others, "--output", folder / "arrays.npz")
        with np.load(folder / "arrays.npz") as file:
            return {name: file[name] for name in file.files}

    return scenario


def figures(folder):
    """The pixels of the pictures that training leaves, but for curves over time."""
    return {path.name: imread(path) for path in sorted((default_folder() / "figures").glob("*.png"))}


def evaluated(folder):
    """`tfvae evaluate` with all its parts."""
    run = RUNS / "evaluated"
    shutil.copytree(short_folder(), run)
    tfvae_command("evaluate", run)
    return numbers(run)


SCENARIOS = {
    "train": lambda folder: numbers(default_folder()),
    "train_short": lambda folder: numbers(short_folder()),
    "resume": resumed,
    "resume_within_an_epoch": resumed_within_an_epoch,
    "sample": written("sample", "--num-samples", 7, "--seed", 3),
    "reconstruct": written("reconstruct", "--num-examples", 7, "--seed", 3),
    "encode": written("encode", "--seed", 3),
    "reconstruct_short": written("reconstruct", "--seed", 3, make=short_folder),
    "figures": figures,
    "evaluate": evaluated,
}

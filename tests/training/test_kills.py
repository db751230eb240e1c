"""A run that SIGKILL ends again and again, at any moment, and that is resumed, ends as the uninterrupted one."""

import csv
import json
import os
import signal
import time

import numpy as np
import pytest
import tensorflow as tf
from processes import ForkServer

from tfvae.data import load
from tfvae.models import load_model

# 144 steps an epoch; 100 a call.
OPTIONS = ["--hidden", "8", "--batch-size", 10, "--epochs", 4, "--checkpoint-steps", 50, "--num-importance-samples", 10]
# 40 steps an epoch. The learning rate falls, training ends early, and the best epoch is not the last.
COMPARING = """
[data]
name = "bits.npz"
[model]
hidden = [8]
latent_size = 3
[training]
epochs = 40
batch_size = 10
learning_rate = 0.05
checkpoint_steps = 15
keep_best = true
beta = {kind = "linear_warm_up", num_epochs = 1.5}
callbacks = [
    {kind = "early_stopping", patience = 5},
    {kind = "reduce_lr_on_plateau", patience = 1, factor = 0.7, cooldown = 1},
]
[evaluation]
num_importance_samples = 10
"""


def numbers(folder):
    """All that a run says of itself, but for times."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]
    report = {
        name: value
        for name, value in json.loads((folder / "report.json").read_text()).items()
        if name not in ("training_seconds", "examples_per_second")
    }
    events = {}
    for path in sorted((folder / "tensorboard").rglob("events*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                events.setdefault(f"{path.parent.name}/{value.tag}", []).append(event.step)
    return rows, report, {k: sorted(v) for k, v in events.items()}


def variables(folder):
    model = load_model(folder / "model.keras")
    return [np.asarray(v) for v in [*model.variables, *model.optimizer.variables]]


def assert_same_run(folder, reference):
    assert numbers(folder) == numbers(reference)
    for a, b in zip(variables(folder), variables(reference), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not list(folder.rglob(".*"))  # nothing half written is left


def kill_and_compare(num_kills, options, folder):
    """Trains runs until `num_kills` were killed at random moments and resumed, and compares each with one whole."""
    rng = np.random.default_rng(num_kills)
    with ForkServer(folder) as server:
        begun = time.monotonic()
        said = server.run("train", *options, "--run-dir", folder / "reference")
        duration = time.monotonic() - begun
        assert server.exit_code == 0, said
        run, kills, ends = folder / "0", 0, 0
        while kills < num_kills:
            command = ["--resume", run] if (run / "config.toml").exists() else [*options, "--run-dir", run]
            server.start("train", *command)
            timer = server.kill_at(time.monotonic() + rng.uniform(0.0, duration), signal.SIGKILL)
            said = list(server.lines())
            timer.cancel()
            if server.exit_code == -signal.SIGKILL:
                kills += 1
                continue
            assert server.exit_code == 0, said
            assert_same_run(run, folder / "reference")
            ends += 1
            run = folder / str(ends)
        if (run / "config.toml").exists():
            said = server.run("train", "--resume", run)
            assert server.exit_code == 0, said
            assert_same_run(run, folder / "reference")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("num_kills", [1, 10])
@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(num_kills, tmp_path):
    kill_and_compare(num_kills, OPTIONS, tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.slow
def test_kills_change_nothing_where_epochs_are_compared(tmp_path):
    bits = (load("digits").train.x > 0.5).astype(np.uint8)
    np.savez(tmp_path / "bits.npz", x_train=bits[:400], x_validation=bits[400:500], x_test=bits[500:600])
    (tmp_path / "run.toml").write_text(COMPARING)
    kill_and_compare(6, ["--config", tmp_path / "run.toml"], tmp_path)
    rows, *_ = numbers(tmp_path / "reference")
    best = max(range(len(rows)), key=lambda epoch: float(rows[epoch]["val_elbo"]))
    assert best + 1 < len(rows) < 40
    assert float(rows[-1]["learning_rate"]) < 0.05
    found = load_model(tmp_path / "reference" / "model.keras")
    assert int(found.optimizer.iterations) == 40 * (best + 1)

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

from tfvae.models import load_model

# 144 steps an epoch; 100 a call.
OPTIONS = ["--hidden", "8", "--batch-size", 10, "--epochs", 4, "--checkpoint-steps", 50, "--num-importance-samples", 10]


def numbers(folder):
    """All that a run says of itself, but for times."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]
    report = json.loads((folder / "report.json").read_text())
    events = {}
    for path in sorted((folder / "tensorboard").rglob("events*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                events.setdefault(f"{path.parent.name}/{value.tag}", []).append(event.step)
    return rows, {name: report[name] for name in ("elbo", "log_marginal")}, {k: sorted(v) for k, v in events.items()}


def variables(folder):
    model = load_model(folder / "model.keras")
    return [np.asarray(v) for v in [*model.variables, *model.optimizer.variables]]


def assert_same_run(folder, reference):
    assert numbers(folder) == numbers(reference)
    for a, b in zip(variables(folder), variables(reference), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not list(folder.rglob(".*"))  # nothing half written is left


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("num_kills", [1, 10])
@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(num_kills, tmp_path):
    rng = np.random.default_rng(num_kills)
    with ForkServer(tmp_path) as server:
        begun = time.monotonic()
        said = server.run("train", *OPTIONS, "--run-dir", tmp_path / "reference")
        duration = time.monotonic() - begun
        assert server.exit_code == 0, said
        folder, kills, ends = tmp_path / "0", 0, 0
        while kills < num_kills:
            command = ["--resume", folder] if (folder / "config.toml").exists() else [*OPTIONS, "--run-dir", folder]
            server.start("train", *command)
            timer = server.kill_at(time.monotonic() + rng.uniform(0.0, duration), signal.SIGKILL)
            said = list(server.lines())
            timer.cancel()
            if server.exit_code == -signal.SIGKILL:
                kills += 1
                continue
            assert server.exit_code == 0, said
            assert_same_run(folder, tmp_path / "reference")
            ends += 1
            folder = tmp_path / str(ends)
        if (folder / "config.toml").exists():
            said = server.run("train", "--resume", folder)
            assert server.exit_code == 0, said
            assert_same_run(folder, tmp_path / "reference")

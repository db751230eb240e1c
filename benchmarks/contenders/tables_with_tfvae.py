"""`tfvae train` and `tfvae sample` with their defaults."""

import shutil
import subprocess
import sys

import pandas as pd

from tfvae.training import RunConfig
from tfvae.training.build import build_vae
from tfvae.training.load_data import load_data
from tfvae.training.resolve import resolve
from tfvae.training.run_data import RunData


class Contender:
    """Trains the model of `tfvae train --data FILE` for a number of epochs, and goes on with it each time."""

    def __init__(self, path, frame):
        self._path, self._num_rows = path, len(frame)
        given = RunConfig.from_dict({"data": {"name": str(path)}})
        self._splits = load_data(given)
        config = resolve(given, self._splits)
        self._vae = build_vae(config, self._splits)
        data = RunData(config, self._splits)
        self._batches, self._num_steps = data.batches(), data.steps_per_epoch
        self._batch_size = config.training.batch_size

    def train(self, epochs):
        """Returns the number of rows that were trained on."""
        self._vae.fit(self._batches, epochs=epochs, steps_per_epoch=self._num_steps, verbose=0)
        return epochs * self._num_steps * self._batch_size

    def rows(self, seed, folder):
        """Runs both commands, from a file to a file, and returns as many rows as the table has."""
        run, output = folder / f"run-{seed}", folder / f"rows-{seed}.csv"
        shutil.rmtree(run, ignore_errors=True)  # of a benchmark that was stopped
        command = [sys.executable, "-m", "tfvae.cli"]
        settings = ["--run-dir", run, "--seed", str(seed)]
        subprocess.run([*command, "train", "--data", self._path, *settings], check=True, stdout=subprocess.DEVNULL)
        counts = ["-n", str(self._num_rows), "-o", output]
        subprocess.run([*command, "sample", run, *counts], check=True, stdout=subprocess.DEVNULL)
        return pd.read_csv(output, keep_default_na=False)

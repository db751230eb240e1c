"""Measures the cost of `VAETensorBoard`: the share of a fit that each of its views takes, at the default intervals.

    python benchmarks/callbacks.py [--epochs 21] [--views all latents ...] [--output callbacks.json]

The model is that of the paper for MNIST (784-500-20-500-784, batch 100, Adam), on 60,000 random binary images, with
10,000 for validation. There is one fit per row. The share is the time in the hooks of the callback divided by the other
time of the fit, from the second epoch on. The first epoch includes tracing and is reported separately.
"""

import argparse
import json
import os
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from contenders import WORKLOADS
from contenders.with_tfvae import build

from tfvae.callbacks import VAETensorBoard


class Clocked(keras.callbacks.Callback):
    """Wraps a callback and measures its time in each epoch."""

    knows_executions = True

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.seconds, self.ends = [0.0], []

    def __getattribute__(self, name):
        if not name.startswith(("on_", "set_")) or name in ("set_neighbours",):
            return super().__getattribute__(name)
        hook = getattr(super().__getattribute__("inner"), name)

        def timed(*arguments, **named):
            start = time.perf_counter()
            hook(*arguments, **named)
            self.seconds[-1] += time.perf_counter() - start
            if name == "on_epoch_end":
                self.seconds.append(0.0)
                self.ends.append(time.perf_counter())

        return timed


def measure(view, work, train, validation, epochs):
    """Measures one row: a fit with one view, with all views, or only with scalars."""
    every = None if view == "all" else {**dict.fromkeys(VAETensorBoard.EVERY, 0)}
    if view in VAETensorBoard.EVERY:
        every[view] = VAETensorBoard.EVERY[view]
    keras.utils.set_random_seed(0)
    vae = build(work)
    with tempfile.TemporaryDirectory() as folder:
        clocked = Clocked(VAETensorBoard(folder, validation[:1024], every))
        vae.fit(
            train,
            batch_size=work.batch_size,
            validation_data=(validation, None),
            epochs=epochs,
            callbacks=[clocked],
            verbose=0,
        )
    inside = sum(clocked.seconds[1:])
    whole = clocked.ends[-1] - clocked.ends[0]
    row = {
        "view": view,
        "every": VAETensorBoard.EVERY.get(view, 1),
        "first_epoch_ms": 1e3 * clocked.seconds[0],
        "ms_an_epoch": 1e3 * inside / (epochs - 1),
        "epoch_ms": 1e3 * (whole - inside) / (epochs - 1),
        "share": inside / (whole - inside),
    }
    print(
        f"{view:<18} every {row['every']:>2}   first epoch {row['first_epoch_ms']:7.0f} ms   then "
        f"{row['ms_an_epoch']:6.1f} ms an epoch of {row['epoch_ms']:6.0f} ms: {100 * row['share']:5.2f} %",
        flush=True,
    )
    return row


def main():
    """Measures, prints a table and writes JSON."""
    views = ["all", "scalars", *VAETensorBoard.EVERY]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", nargs="+", choices=views, default=views)
    parser.add_argument("--epochs", type=int, default=21)
    parser.add_argument("--output", default=None)
    arguments = parser.parse_args()
    work = WORKLOADS["paper"]
    rng = np.random.default_rng(0)
    train, validation = ((rng.uniform(size=(n, *work.event_shape)) < 0.2).astype("float32") for n in (60_000, 10_000))
    rows = [measure(view, work, train, validation, arguments.epochs) for view in arguments.views]
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"arguments": vars(arguments), "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()

"""Compares the training speed of `VAE.fit` with that of other programs, in turns, in one process.

    python benchmarks/train.py --output train.json
    pip install -e .[bench] adds PyTorch and JAX to the contenders.

Workloads (`benchmarks/contenders/__init__.py`): the paper's MNIST model (784-500-20-500-784, batch 100); 784-200-200-50
at batch 20 with one sample and with K = 50 importance samples; a convolutional model (batch 128). Contenders, all with
Adam on the same binary images from memory, shuffled again in each epoch:

- `tfvae`: `vae.fit(images, batch_size=...)` with default settings;
- `hand_xla`, `hand_graph`: TensorFlow only, one program per epoch that loops over steps, with the images on the device,
  explicit formulas for the bound and Keras' Adam; `hand` below is the faster of the two;
- `keras`: a plain Keras 3 model with a `train_step`, and its default `fit`;
- `tfp`: tf_keras with `tfp.layers` and its `fit`;
- `torch`, `torch_compile`: PyTorch with its fused Adam; `jax`: an epoch in one `lax.scan`;
- `products_xla`, `products_graph`: only the matrix products of the same steps, as a limit.

They alternate, forwards and then backwards. One turn is `--epochs` epochs of one `fit` and gives one rate. With several
numbers, such as `--epochs 1 3`, short and long fits have lines of their own. The table shows images per second
(medians) and the median over rounds of the rate of tfvae divided by that of the other program, with quartiles. The
first run of a contender is its first epoch, including building, tracing and compiling.
"""

import argparse
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from contenders import NAMES, WORKLOADS, contender

HANDS = ("hand_xla", "hand_graph")
PRODUCTS = ("products_xla", "products_graph")


def compare(name, arguments):
    """Times the contenders on one workload."""
    work = WORKLOADS[name]
    x = (np.random.default_rng(0).uniform(size=(work.num_images, *work.event_shape)) < 0.2).astype("float32")
    made, first = {}, {}
    for other in arguments.contenders:
        keras.utils.set_random_seed(0)
        make = contender(other)
        start = time.perf_counter()
        run = None if make is None else make(x, work)
        if run is None:
            print(f"{name:<10} {other:<14} {'not installed' if make is None else 'has no such workload'}")
            continue
        run(1)
        made[other], first[other] = run, time.perf_counter() - start
    return [row for epochs in arguments.epochs for row in take_turns(name, epochs, made, first, arguments.repetitions)]


def take_turns(name, epochs, made, first, repetitions):
    """Times turns of some epochs, prints a line per contender and returns its numbers.

    Args:
        name: Workload.
        epochs: Epochs of a turn.
        made: Contenders by name.
        first: Seconds to the end of the first epoch by name.
        repetitions: Turns of each contender.
    """
    work, first = WORKLOADS[name], dict(first)
    rates, bounds = {other: [] for other in made}, {}
    for repetition in range(repetitions):
        for other in list(made) if repetition % 2 else reversed(list(made)):
            start = time.perf_counter()
            bounds[other] = made[other](epochs)
            rates[other].append(epochs * work.num_images / (time.perf_counter() - start))
    rates = {other: np.array(values) for other, values in rates.items()}
    for best, group in (("hand", HANDS), ("products", PRODUCTS)):
        present = [other for other in group if other in rates]
        if present:
            fastest = max(present, key=lambda other: np.median(rates[other]))
            rates[best], bounds[best], first[best] = rates[fastest], bounds[fastest], first[fastest]
    rows = []
    for other, values in rates.items():
        low, median, high = np.percentile(rates["tfvae"] / values, [25, 50, 75])
        rows.append(
            {
                "workload": name,
                "epochs": epochs,
                "contender": other,
                "images_per_second": float(np.median(values)),
                "tfvae_by_it": {"median": float(median), "quartiles": [float(low), float(high)]},
                "seconds_to_the_end_of_the_first_epoch": first[other],
                "bound": None if np.isnan(bounds[other]) else float(bounds[other]),
            }
        )
        print(
            f"{name:<10} epochs {epochs:<2} {other:<14} {np.median(values):8.0f} /s   "
            f"{median:5.2f} ({low:.2f}, {high:.2f})   first epoch {first[other]:5.1f} s   bound {bounds[other]:.1f}",
            flush=True,
        )
    return rows


def main():
    """Compares, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--epochs", type=int, nargs="+", default=[10], help="numbers of epochs in a turn")
    parser.add_argument("--output", default=None)
    arguments = parser.parse_args()
    if "tfvae" not in arguments.contenders:
        arguments.contenders = ["tfvae", *arguments.contenders]
    rows = [row for name in arguments.workloads for row in compare(name, arguments)]
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"arguments": vars(arguments), "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()

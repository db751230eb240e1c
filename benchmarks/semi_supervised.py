"""Compares the training speed of M2 (semi-supervised, 100 labels) with Pyro's and with TensorFlow's alone, in turns.

    python benchmarks/semi_supervised.py --output semi_supervised.json
    pip install pyro-ppl torch adds Pyro to the contenders.

The networks are those of Pyro's example of M2: 784-500-10 for q(y|x), 794-500-100 for q(z|x, y), and 60-500-784 for
p(x|y, z), with softplus units, float32, and Adam. All contenders train in one process on the same binary images from
memory, of which 100 have a label, shuffled again in each epoch:

- `tfvae`: `vae.fit(split.batches(..., shuffle=True, labels=True))` with default settings;
- `pyro`: the step of Pyro's example, `SVI` with `TraceEnum_ELBO` and the label enumerated in parallel, and a second
  `SVI` for the loss of the classifier. A batch has either labelled or unlabelled images;
- `hand`: TensorFlow only, one compiled program per epoch, with explicit formulas;
- `products`: only the matrix products of the same steps, as a limit.

They alternate, forwards and then backwards. The table shows images per second and milliseconds per batch (medians over
turns), processor time per batch, which other programs on the machine change less, and the median over rounds of the
rate of tfvae divided by that of the other program, with quartiles. Batches of 100 are the largest that 100 labels fill.
"""

import argparse
import dataclasses
import importlib
import importlib.util
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

# Name: its module, what has to be installed.
_CONTENDERS = {
    "tfvae": ("m2_with_tfvae", "tensorflow"),
    "pyro": ("m2_with_pyro", "pyro"),
    "hand": ("m2_by_hand", "tensorflow"),
    "products": ("m2_products", "tensorflow"),
}


@dataclasses.dataclass(frozen=True)
class Workload:
    """What is trained, with the defaults of Pyro's example."""

    batch_size: int
    num_images: int
    hidden: int = 500
    latent_size: int = 50
    num_classes: int = 10
    num_labels: int = 100
    classification_weight: float = 46.0
    learning_rate: float = 0.00042


def data(work):
    """Random binary images `[N, 784]`, and labels `[N]` of which `num_labels` are known."""
    rng = np.random.default_rng(0)
    x = (rng.uniform(size=(work.num_images, 784)) < 0.2).astype("float32")
    labels = np.full(work.num_images, -1)
    labels[rng.permutation(work.num_images)[: work.num_labels]] = np.arange(work.num_labels) % work.num_classes
    return x, labels


def compare(work, names, repetitions, epochs):
    """Times the contenders on one workload."""
    x, labels = data(work)
    runs, first, bounds = {}, {}, {}
    for name in names:
        module, needed = _CONTENDERS[name]
        if importlib.util.find_spec(needed) is None:
            print(f"{name:<8} not installed")
            continue
        keras.utils.set_random_seed(0)
        start = time.perf_counter()
        runs[name] = importlib.import_module(f"contenders.{module}").fit(x, labels, work)
        runs[name](1)
        first[name] = time.perf_counter() - start
    rates, seconds = {name: [] for name in runs}, {name: [] for name in runs}
    for repetition in range(repetitions):
        for name in list(runs) if repetition % 2 else reversed(list(runs)):
            start, begin = time.perf_counter(), time.process_time()
            bounds[name] = runs[name](epochs)
            rates[name].append(epochs * len(x) / (time.perf_counter() - start))
            seconds[name].append(time.process_time() - begin)
    rows = []
    for name, values in rates.items():
        ratios = np.array(rates["tfvae"]) / np.array(values)
        low, median, high = np.percentile(ratios, [25, 50, 75])
        rows.append(
            {
                "batch_size": work.batch_size,
                "contender": name,
                "images_per_second": float(np.median(values)),
                "milliseconds_per_batch": 1000.0 * work.batch_size / float(np.median(values)),
                "processor_milliseconds_per_batch": 1000.0
                * work.batch_size
                * float(np.median(seconds[name]))
                / (epochs * len(x)),
                "tfvae_by_it": {"median": float(median), "quartiles": [float(low), float(high)]},
                "seconds_to_the_end_of_the_first_epoch": first[name],
                "bound": None if np.isnan(bounds[name]) else float(bounds[name]),
            }
        )
        wall, processor = (rows[-1][f"{kind}milliseconds_per_batch"] for kind in ("", "processor_"))
        print(
            f"batch {work.batch_size:<5} {name:<8} {np.median(values):8.0f} /s {wall:8.1f} ms   processor "
            f"{processor:6.1f} ms   {median:5.2f} ({low:.2f}, {high:.2f})   first epoch {first[name]:5.1f} s   "
            f"bound {bounds[name]:.1f}",
            flush=True,
        )
    return rows


def main():
    """Compares, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[100, 200])
    parser.add_argument("--contenders", nargs="+", choices=list(_CONTENDERS), default=list(_CONTENDERS))
    parser.add_argument("--num-images", type=int, default=10_000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=1, help="number of epochs in a turn")
    parser.add_argument("--output", default=None)
    arguments = parser.parse_args()
    names = ["tfvae", *(name for name in arguments.contenders if name != "tfvae")]
    rows = []
    for batch_size in arguments.batch_sizes:
        rows += compare(Workload(batch_size, arguments.num_images), names, arguments.repetitions, arguments.epochs)
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"arguments": vars(arguments), "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()

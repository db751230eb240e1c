"""Measures how the speed of `VAE.fit` depends on the number of examples, the latent size, K and the hidden width.

    python benchmarks/scaling.py --output scaling.json

The base is the model of the paper for MNIST (784-500-20-500-784, batch 100, 60,000 binary images). Each variant
multiplies one number by `--factor`. K is the number of importance samples. `--contenders` names programs of
`benchmarks/train.py`. The variants alternate, forwards and then backwards. One turn is one epoch of one `fit`, on
`--num-images` images, or ten times as many for the variant with more data. The table shows images per second (medians),
the median over rounds of the rate relative to the base with quartiles, the factor in multiplications of the matrix
products per image, and the multiplications per second. If these do not decrease, the cost of growth is only that of the
multiplications.
"""

import argparse
import dataclasses
import itertools
import json
import math
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from contenders import NAMES, WORKLOADS, contender

_START = "start"


def variants(factor, num_images):
    """Workloads by name."""
    start = dataclasses.replace(WORKLOADS["paper"], num_images=num_images)
    return {
        _START: start,
        "data": dataclasses.replace(start, num_images=factor * num_images),
        "latent_size": dataclasses.replace(start, latent_size=factor * start.latent_size),
        "k": dataclasses.replace(start, k=factor * start.k),
        "width": dataclasses.replace(start, hidden=tuple(factor * size for size in start.hidden)),
    }


def multiplications(work):
    """Returns the multiplications in the matrix products of a training step, forward and backward, per image."""
    encoder, decoder = (sum(math.prod(shape) for shape in network) for network in work.dense_shapes)
    # The gradient of the images is not computed.
    return 3 * (encoder + work.k * decoder) - math.prod(work.dense_shapes[0][0])


def make(name, work):
    """Returns a contender after its first epoch, which traces and compiles. None if it is not installed."""
    make_run = contender(name)
    if make_run is None:
        return None
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).integers(0, 5, (work.num_images, *work.event_shape), np.uint8)
    np.equal(x, 0, out=x)
    run = make_run(x.astype("float32"), work)
    if run is not None:
        run(1)
    return run


def compare(name, works, repetitions):
    """Times one contender on the variants."""
    made = {}
    for variant, work in works.items():
        run = make(name, work)
        if run is None:
            print(f"{name:<14} {variant:<12} not installed, or has no such workload")
        else:
            made[variant] = run
    rates = {variant: [] for variant in made}
    for repetition in range(repetitions):
        for variant in list(made) if repetition % 2 else reversed(list(made)):
            begun = time.perf_counter()
            made[variant](1)
            rates[variant].append(works[variant].num_images / (time.perf_counter() - begun))
    rows = []
    for variant, values in rates.items():
        low, median, high = np.percentile(np.array(values) / np.array(rates[_START]), [25, 50, 75])
        work, rate = multiplications(works[variant]), float(np.median(values))
        rows.append(
            {
                "contender": name,
                "variant": variant,
                "images_per_second": rate,
                "by_the_start": {"median": float(median), "quartiles": [float(low), float(high)]},
                "multiplications_by_the_start": work / multiplications(works[_START]),
                "multiplications_per_second": rate * work,
            }
        )
        print(
            f"{name:<14} {variant:<12} {rate:8.0f} /s   {median:5.3f} ({low:.3f}, {high:.3f})   "
            f"{rows[-1]['multiplications_by_the_start']:5.2f} times the products, {rate * work / 1e9:5.1f} G/s",
            flush=True,
        )
    return rows


def main():
    """Compares, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = list(variants(2, 1))
    parser.add_argument("--variants", nargs="+", choices=names, default=names)
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=["tfvae"])
    parser.add_argument("--factor", type=int, default=10)
    parser.add_argument("--num-images", type=int, default=WORKLOADS["paper"].num_images)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--output", default=None)
    arguments = parser.parse_args()
    works = variants(arguments.factor, arguments.num_images)
    works = {name: works[name] for name in names if name in {_START, *arguments.variants}}
    rows = list(
        itertools.chain.from_iterable(compare(name, works, arguments.repetitions) for name in arguments.contenders)
    )
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"arguments": vars(arguments), "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()

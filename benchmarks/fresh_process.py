"""Runs one training in its own process for `benchmarks/inference.py`, and prints times and peak memory.

    python benchmarks/fresh_process.py tfvae paper 100

A contender of `benchmarks/train.py` trains for one epoch on the given number of images, which is one step for at most
one batch. The output is a line of JSON: the times (seconds since 1970) at the end of the imports and at the end of the
epoch, and the peak of resident memory. With `--further-models N`, it then builds, trains and deletes N more models, and
adds the growth of resident memory a model, the slope of a line through them.
"""

import argparse
import gc
import json
import os
import resource
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main():
    """Imports, trains and prints."""
    from contenders import NAMES, WORKLOADS, contender

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contender", choices=NAMES)
    parser.add_argument("workload", choices=list(WORKLOADS))
    parser.add_argument("num_images", type=int)
    parser.add_argument("--further-models", type=int, default=0)
    arguments = parser.parse_args()
    make, work = contender(arguments.contender), WORKLOADS[arguments.workload]
    if make is None:
        print(json.dumps(None))
        return
    import numpy as np

    imported = time.time()
    x = np.random.default_rng(0).integers(0, 2, (arguments.num_images, *work.event_shape), np.uint8).astype("float32")
    run = make(x, work)
    if run is None:
        print(json.dumps(None))
        return
    bound = run(1)
    trained = time.time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = {"imported": imported, "trained": trained, "peak_bytes": peak, "bound": float(bound)}
    if arguments.further_models:
        sizes = []
        for _ in range(arguments.further_models):
            run = None
            gc.collect()
            sizes.append(resident_bytes())
            run = make(x, work)
            run(1)
        found["bytes_a_model"] = float(np.polyfit(range(len(sizes) - 1), sizes[1:], 1)[0])
    print(json.dumps(found))


def resident_bytes():
    """Returns the resident memory of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()

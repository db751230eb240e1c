"""Measures the time of the kernels in a training step of `VAE.fit` with TensorFlow's profiler.

    python benchmarks/profile_step.py --workload paper

It trains two epochs, then one with the profiler, and adds up the events of the threads that compute. The table shows
the share of the computing time of each kind of kernel: with XLA, matrix products and the fusions named after their last
operation, otherwise the operations of TensorFlow.
"""

import argparse
import collections
import glob
import json
import os
import re
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from contenders import WORKLOADS, contender
from tensorflow.tsl.profiler.protobuf import xplane_pb2

# Events that contain others, or wait.
FRAMES = re.compile(r"Execut|ParallelFor|Await|BlockUntil|Iterator|Prefetch|^(while|call|body|run|cond|__inference)")


def kernels(log_dir):
    """Returns the nanoseconds of every kernel, by its name without its number."""
    (path,) = glob.glob(f"{log_dir}/**/*.xplane.pb", recursive=True)
    space = xplane_pb2.XSpace()
    with open(path, "rb") as file:
        space.ParseFromString(file.read())
    total = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            if line.name == "python":
                continue
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if not FRAMES.search(name):
                    total[re.sub(r"(_\d+)?(\.\d+)*$", "", name.split(":")[-1])] += event.duration_ps / 1e3
    return total


def main():
    """Trains, profiles, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", choices=list(WORKLOADS), default="paper")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--output", default=None)
    arguments = parser.parse_args()
    work = WORKLOADS[arguments.workload]
    rng = np.random.default_rng(0)
    x = (rng.uniform(size=(arguments.images // work.k, *work.event_shape)) < 0.2).astype("float32")
    keras.utils.set_random_seed(0)
    run = contender("tfvae")(x, work)
    run(2)
    with tempfile.TemporaryDirectory() as log_dir:
        tf.profiler.experimental.start(log_dir)
        run(1)
        tf.profiler.experimental.stop()
        total = kernels(log_dir)
    everything = sum(total.values())
    rows = [{"kernel": name, "share": value / everything} for name, value in total.most_common(20)]
    for row in rows:
        print(f"{arguments.workload:<10} {100 * row['share']:5.1f} %  {row['kernel']}")
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"arguments": vars(arguments), "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()

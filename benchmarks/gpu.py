"""Measures training on a GPU: images per second, and the share of the time in which the device computes.

    python benchmarks/gpu.py --output gpu.json

The model of the paper with batches of 1,024 and 8,192 images and the convolutional model are trained by `VAE.fit` and,
if JAX is installed with a GPU, by its scan of `benchmarks/train.py`. The programs alternate; one turn is one epoch. The
share of the time comes from TensorFlow's profiler in one further epoch: the time in which at least one kernel runs on
the device, divided by the time of the epoch. The table also names the operations of the step that have no kernel for
GPUs and run on the host.

Without a GPU the program says so and ends. `--device cpu` runs the same measurement on the CPU, for example to test it.
"""

import argparse
import dataclasses
import glob
import json
import os
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from contenders import WORKLOADS, contender

_BATCH_SIZES = {"paper": (1024, 8192), "conv": (1024,)}
# Operations that hold values, call functions or describe the graph. They launch no kernel on the device.
_STRUCTURE = {
    "Placeholder",
    "Const",
    "NoOp",
    "Identity",
    "_Arg",
    "_Retval",
    "StatefulPartitionedCall",
    "PartitionedCall",
}


def workloads(num_images):
    """Workloads by name, each with a batch size."""
    return {
        f"{name} {size}": dataclasses.replace(WORKLOADS[name], batch_size=size, num_images=num_images)
        for name, sizes in _BATCH_SIZES.items()
        for size in sizes
    }


def union(intervals):
    """Returns the total length of overlapping intervals `(begin, end)`."""
    total, reached = 0, -np.inf
    for begin, end in sorted(intervals):
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def busy_seconds(log_dir, device):
    """Returns the time in which the device computes, from the files of TensorFlow's profiler."""
    from profile_step import FRAMES
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    (path,) = glob.glob(f"{log_dir}/**/*.xplane.pb", recursive=True)
    space = xplane_pb2.XSpace()
    with open(path, "rb") as file:
        space.ParseFromString(file.read())
    intervals = []
    for plane in space.planes:
        if plane.name.startswith("/device:GPU") != (device == "gpu"):
            continue
        for line in plane.lines:
            is_kernels = "Stream" in line.name if device == "gpu" else line.name != "python"
            for event in line.events if is_kernels else ():
                if not FRAMES.search(plane.event_metadata[event.metadata_id].name):
                    begin = line.timestamp_ns + event.offset_ps / 1e3
                    intervals.append((begin, begin + event.duration_ps / 1e3))
    return union(intervals) / 1e9


def share_busy(run, device):
    """Returns the share of the time of one epoch in which the device computes."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as log_dir:
        tf.profiler.experimental.start(log_dir)
        begun = time.perf_counter()
        run(1)
        seconds = time.perf_counter() - begun
        tf.profiler.experimental.stop()
        return busy_seconds(log_dir, device) / seconds


def host_operations(x, work):
    """Returns the operations in a training step that have no kernel for GPUs, by name."""
    import tensorflow as tf
    from contenders.with_tfvae import build
    from tensorflow.python.framework.kernels import get_registered_kernels_for_op

    vae = build(work)
    vae.build(x.shape)
    vae.build_optimizer()
    vae.build_metrics()
    step = tf.function(vae.train_step, autograph=False)
    graph = step.get_concrete_function(tf.TensorSpec([work.batch_size, *work.event_shape])).graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    found = {node.op for node in nodes} - _STRUCTURE
    return sorted(
        op
        for op in found
        if not any(k.device_type in ("GPU", "DEFAULT") for k in get_registered_kernels_for_op(op).kernel)
    )


def programs(work, x, device):
    """Returns the contenders after their first epoch, by name."""
    found = {}
    for name in ("tfvae", "jax"):
        make = contender(name)
        if make is None or (name == "jax" and not jax_has(device)):
            continue
        found[name] = make(x, work)
        found[name](1)
    return found


def jax_has(device):
    """Whether JAX has the device."""
    import jax

    return jax.default_backend() == device


def measure(name, work, repetitions, device):
    """Times the contenders on one workload and prints a table."""
    x = (np.random.default_rng(0).uniform(size=(work.num_images, *work.event_shape)) < 0.2).astype("float32")
    made = programs(work, x, device)
    rates = {program: [] for program in made}
    for repetition in range(repetitions):
        for program in list(made) if repetition % 2 else reversed(list(made)):
            begun = time.perf_counter()
            made[program](1)
            rates[program].append(work.num_images / (time.perf_counter() - begun))
    rows = []
    for program, values in rates.items():
        low, median, high = np.percentile(values, [25, 50, 75])
        ratio = np.percentile(np.array(rates["tfvae"]) / np.array(values), [25, 50, 75])
        row = {"workload": name, "program": program, "images_per_second": median, "quartiles": [low, high]}
        row["tfvae_by_this"] = {"median": ratio[1], "quartiles": [ratio[0], ratio[2]]}
        if program == "tfvae":
            row["share_busy"] = share_busy(made[program], device)
            row["on_the_host"] = host_operations(x, work)
        rows.append(row)
        busy = f"   busy {100 * row['share_busy']:4.0f} %" if "share_busy" in row else ""
        print(
            f"{name:<12} {program:<6} {median:10.0f} ({low:.0f}, {high:.0f}) images/s   "
            f"tfvae / this {ratio[1]:5.2f} ({ratio[0]:.2f}, {ratio[2]:.2f}){busy}",
            flush=True,
        )
    print(f"{name:<12} on the host: {', '.join(rows[0]['on_the_host']) or 'nothing'}", flush=True)
    return rows


def main():
    """Measures, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["gpu", "cpu"], default="gpu")
    parser.add_argument("--workloads", nargs="+", choices=list(workloads(1)), default=list(workloads(1)))
    parser.add_argument("--num-images", type=int, default=65_536)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--output", default=None)
    arguments = parser.parse_args()

    import tensorflow as tf

    if arguments.device == "gpu" and not tf.config.list_physical_devices("GPU"):
        print("TensorFlow finds no GPU on this machine, so there is nothing to measure (--device cpu uses the CPU).")
        return
    if arguments.device == "gpu":  # JAX shares the memory of the device
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    works = workloads(arguments.num_images)
    rows = [
        row
        for name in arguments.workloads
        for row in measure(name, works[name], arguments.repetitions, arguments.device)
    ]
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"arguments": vars(arguments), "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()

"""Measures what several workers on one machine spend on the sum of gradients and on a `tf.data` service.

    python benchmarks/workers.py --num-workers 2 --millions 1 10 100 --output workers.json

The networks are 784-H-20-H-784 with about `--millions` of weights, trained by SGD with batches of 96 images over all
workers. Turns alternate between these variants, on all workers at the same time:

- part: each worker trains a model of its own on its part of a batch, without a strategy and without XLA.
- kept: the workers train one model, on a split whose examples stay on the device.
- dataset: the same, from a `tf.data` pipeline in the process.
- service: the same, from a `tf.data` service in another process.

A turn is one fit, whose first epoch is not timed. The table shows milliseconds per step (medians), and the median over
rounds, with quartiles, of the share of a step that the sum of gradients (1 - part / kept) and the service (1 - dataset
/ service) take. Beside it are the sum of as many bytes over the workers alone, and the bytes and bandwidth of one
worker in a ring.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import tfvae
from tfvae import layers, networks
from tfvae.data.batches import endless
from tfvae.training.strategies import make_strategy

_BATCH_SIZE, _LATENT_SIZE, _NUM_PIXELS = 96, 20, 784
_VARIANTS = ("part", "kept", "dataset", "service")


def build(millions):
    """A compiled model with about this number of weights."""
    width = round(millions * 1e6 / (2 * _NUM_PIXELS + 3 * _LATENT_SIZE))
    posterior, likelihood = layers.MultivariateNormalDiag, layers.IndependentBernoulli((_NUM_PIXELS,))
    size = posterior.params_size(_LATENT_SIZE)
    vae = tfvae.models.VAE(
        keras.Sequential([networks.mlp(size, (width,), "tanh"), posterior(_LATENT_SIZE)]),
        keras.Sequential([networks.mlp(_NUM_PIXELS, (width,), "tanh"), likelihood]),
    )
    vae.compile(keras.optimizers.SGD(1e-3), jit_compile=False)
    return vae


class EpochEnds(keras.callbacks.Callback):
    """Times of the ends of epochs."""

    def on_train_begin(self, logs=None):
        self.times = []

    def on_epoch_end(self, epoch, logs=None):
        self.times.append(time.perf_counter())


def seconds_per_step(vae, data, num_steps):
    """Trains for three epochs, and times the last two."""
    ends = EpochEnds()
    vae.fit(data, epochs=3, steps_per_epoch=num_steps, verbose=0, callbacks=[ends])
    return (ends.times[-1] - ends.times[0]) / (2 * num_steps)


def summing(strategy, num_bytes):
    """Returns a function that sums as many bytes over all workers."""

    def total():
        values = tf.ones([max(1, num_bytes // 4)])
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)[:1]

    return tf.function(lambda: strategy.run(total), autograph=False)


def timed(function, repetitions):
    """Returns the median of seconds per call."""
    function()
    seconds = []
    for _ in range(repetitions):
        begun = time.perf_counter()
        function().numpy()
        seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds))


def work(arguments):
    """Runs all turns on one worker. The first worker prints a row of JSON for each model."""
    strategy = make_strategy("multi_worker")
    num_workers = strategy.num_replicas_in_sync
    x = np.random.default_rng(0).integers(0, 2, (25 * _BATCH_SIZE, _NUM_PIXELS), np.uint8)
    service = tf.data.experimental.service.distribute(
        tf.data.experimental.service.ShardingPolicy.OFF, arguments.service
    )

    def batches(size=_BATCH_SIZE):
        return tfvae.data.Split(x, num_levels=2).batches(size, shuffle=True, seed=1)

    data = {
        "part": endless(batches(_BATCH_SIZE // num_workers)),
        "kept": endless(batches()),
        "dataset": batches().repeat(),
        "service": batches().repeat().apply(service),
    }
    start = summing(strategy, 4)
    for millions in arguments.millions:
        keras.utils.set_random_seed(0)
        own = build(millions)
        with strategy.scope():
            shared = build(millions)
        models = {name: own if name == "part" else shared for name in _VARIANTS}
        num_steps = max(2, round(arguments.steps / millions))
        turns = {name: [] for name in _VARIANTS}
        for repetition in range(arguments.repetitions + 1):
            for name in _VARIANTS if repetition % 2 else reversed(_VARIANTS):
                start()
                seconds = seconds_per_step(models[name], data[name], num_steps)
                if repetition:  # the first turn traces
                    turns[name].append(seconds)
        num_bytes = 4 * sum(int(np.prod(weight.shape)) for weight in shared.trainable_variables)
        one = row(turns, num_bytes, timed(summing(strategy, num_bytes), 5), num_workers)
        if strategy.cluster_resolver.task_id == 0:
            print("ROW" + json.dumps(one), flush=True)
        del own, shared, models
    start()


def row(turns, num_bytes, alone, num_workers):
    """Summary of the turns with one model."""
    medians = {name: float(np.median(values)) for name, values in turns.items()}
    shares = {
        "sum": 1 - np.array(turns["part"]) / np.array(turns["kept"]),
        "service": 1 - np.array(turns["dataset"]) / np.array(turns["service"]),
    }
    sent = 2 * (num_workers - 1) / num_workers * num_bytes
    return {
        "num_workers": num_workers,
        "num_weights": num_bytes // 4,
        "seconds_per_step": medians,
        "shares": {name: np.percentile(values, [25, 50, 75]).tolist() for name, values in shares.items()},
        "seconds_of_the_sum_alone": alone,
        "bytes_sent_per_step": sent,
        # At this bandwidth, sending takes as long as a tenth of computing.
        "bytes_per_second_for_a_tenth": sent / (0.1 * medians["part"]),
    }


def report(one):
    """Prints a row of the table."""
    steps = "  ".join(f"{name} {1e3 * value:.1f}" for name, value in one["seconds_per_step"].items())
    shares = "  ".join(
        f"share of the {name} {median:.2f} ({low:.2f}, {high:.2f})"
        for name, (low, median, high) in one["shares"].items()
    )
    print(
        f"{one['num_workers']} workers, {one['num_weights'] / 1e6:.1f} million weights: ms per step {steps}   "
        f"{shares}   sum alone {1e3 * one['seconds_of_the_sum_alone']:.1f} ms   "
        f"sends {one['bytes_sent_per_step'] / 1e6:.1f} MB   "
        f"a tenth at {one['bytes_per_second_for_a_tenth'] / 1e9:.2f} GB/s",
        flush=True,
    )


@contextlib.contextmanager
def data_service():
    """Yields the address of a `tf.data` service in a process of its own."""
    process = subprocess.Popen([sys.executable, *sys.argv, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        yield next(line for line in process.stdout if line.startswith("grpc://")).strip()
    finally:
        process.kill()  # a thread of an unfinished pipeline would take minutes to end


def serve():
    """Runs a `tf.data` service until it is killed."""
    dispatcher = tf.data.experimental.service.DispatchServer()
    configuration = tf.data.experimental.service.WorkerConfig(dispatcher_address=dispatcher.target.split("://")[1])
    server = tf.data.experimental.service.WorkerServer(configuration)
    print(dispatcher.target, flush=True)
    server.join()


def start_workers(num_workers, address):
    """Starts this program as workers. Yields the rows of the first one."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(num_workers)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    processes = []
    try:
        for index in range(num_workers):
            config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            environment = {**os.environ, "TF_CONFIG": json.dumps(config), "CUDA_VISIBLE_DEVICES": ""}
            command = [sys.executable, *sys.argv, "--service", address]
            processes.append(
                subprocess.Popen(
                    command, env=environment, stdout=subprocess.DEVNULL if index else subprocess.PIPE, text=True
                )
            )
        for line in processes[0].stdout:
            if line.startswith("ROW"):
                yield json.loads(line[3:])
        if any(process.wait() for process in processes):
            raise RuntimeError("A worker failed. Start this program with TF_CONFIG to see why.")
    finally:
        for process in processes:
            process.kill()


def main():
    """Starts the service and the workers, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-workers", type=int, default=2)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 10])
    parser.add_argument("--steps", type=int, default=50, help="steps of an epoch with a million weights")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--output", default=None)
    parser.add_argument("--service", default=None, help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return
    if arguments.service:
        work(arguments)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the other processes too
    rows = []
    with data_service() as address:
        for one in start_workers(arguments.num_workers, address):
            report(one)
            rows.append(one)
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"arguments": vars(arguments), "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()

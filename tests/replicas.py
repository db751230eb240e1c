"""What tests of distribution strategies run in processes of their own: `python replicas.py PROGRAM FOLDER`.

A program writes what it found to `FOLDER/<index of the worker>.pkl`.
"""

import contextlib
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import tfvae
from tfvae import layers
from tfvae.callbacks import BetaSchedule, LinearWarmUp, NonFiniteLossError, StopOnNonFinite, VAETensorBoard
from tfvae.estimators import SGVB, Estimate
from tfvae.execution.replica_step import part_of_batch
from tfvae.execution.replicas import replica_seeds
from tfvae.training.run_folder import RunFolder
from tfvae.training.strategies import is_chief, make_strategy, worker_folder

SHAPE, BATCH_SIZE = (3, 2, 1), 8
# The last batch has one example: fewer than there are replicas.
X = (np.random.default_rng(0).uniform(size=(5 * BATCH_SIZE + 1, *SHAPE)) < 0.4).astype("float32")
WEIGHTS = np.linspace(0.5, 2.0, len(X))


class AtMean:
    """The ELBO with z at the posterior's mean: an estimate without chance."""

    def __call__(self, problem, *, beta=1.0, seed=None):
        z, scale = problem.posterior.mean(), problem.posterior.stddev()
        log_likelihood = problem.generate(z).log_prob(problem.x)
        kl = tf.reduce_sum((z**2 + scale**2 - 1.0) / 2.0 - tf.math.log(scale), axis=-1)
        return Estimate(beta * kl - log_likelihood, log_likelihood - kl, log_likelihood, kl)


class BadAt(AtMean):
    """Not finite for the examples that hold a 0.25."""

    def __call__(self, problem, **kwargs):
        found = super().__call__(problem, **kwargs)
        bad = tf.where(tf.reduce_max(problem.x, axis=[1, 2, 3]) == 0.25, np.float32(np.nan), 0.0)
        return found._replace(surrogate_loss=found.surrogate_loss + bad, kl=found.kl + bad)


def make_vae(strategy=None, estimator=None, middle=(), optimizer=None):
    """A model whose gradients are clipped, with a weight regulariser."""
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        keras.utils.set_random_seed(3)
        encoder = keras.Sequential(
            [
                keras.layers.Flatten(),
                *(make() for make in middle),
                keras.layers.Dense(4, activation="tanh", kernel_regularizer="l2"),
                keras.layers.Dense(layers.MultivariateNormalDiag.params_size(2)),
                layers.MultivariateNormalDiag(2),
            ]
        )
        decoder = keras.Sequential([keras.layers.Dense(6), layers.IndependentBernoulli(SHAPE)])
        vae = tfvae.models.VAE(encoder, decoder, estimator=estimator or AtMean(), seed=5)
        optimizer = optimizer or keras.optimizers.SGD(0.1, momentum=0.5, global_clipnorm=0.3)
        vae.compile(optimizer, jit_compile=False)
    return vae


def fit_arrays(strategy=None, epochs=3, callbacks=(), vae=None):
    """A fit that has everything in it at once: weights and history."""
    vae = vae or make_vae(strategy)
    history = vae.fit(
        X,
        batch_size=BATCH_SIZE,
        shuffle=False,
        sample_weight=WEIGHTS[:, None],
        epochs=epochs,
        validation_data=(X[:9], None, WEIGHTS[:9]),
        validation_batch_size=4,
        callbacks=[BetaSchedule(LinearWarmUp(num_steps=11)), StopOnNonFinite(), *callbacks],
        verbose=0,
    ).history
    return {"weights": vae.get_weights(), "history": history, "steps": int(vae.optimizer.iterations.numpy())}


def fit_split(strategy=None, data=None):
    """A fit on a shuffled split, repeated, which takes up after two passes."""
    vae = make_vae(strategy)
    split = tfvae.data.Split(X.astype("uint8"), num_levels=2) if data is None else tfvae.data.load(data).train
    batches = split.batches(BATCH_SIZE, shuffle=True, seed=3)
    for _ in range(2):
        iter(batches)
    history = vae.fit(batches.repeat(), steps_per_epoch=len(batches), epochs=2, verbose=0).history
    return {"weights": vae.get_weights(), "history": history, "steps": int(vae.optimizer.iterations.numpy())}


def fit_batches(strategy=None):
    """Fits on the batches of a split, whose examples stay on the device: two passes, and after a resumption two more.

    The second batches have binary values drawn anew in each pass. The last batch has one example.
    """
    found = []
    for num_levels, draw, passes in ((2, {}, 0), (17, {"binarize": "dynamic"}, 1)):
        vae = make_vae(strategy)
        x = (np.random.default_rng(1).uniform(size=X.shape) * num_levels).astype("uint8")
        batches = tfvae.data.Split(x, num_levels=num_levels).batches(BATCH_SIZE, shuffle=True, seed=3, **draw)
        for _ in range(passes):
            iter(batches)
        history = vae.fit(batches, epochs=2, verbose=0).history
        found.append({"weights": vae.get_weights(), "history": history, "steps": int(vae.optimizer.iterations.numpy())})
    return found


def parts_of_batches(strategy):
    """The part of this worker of batches of different sizes: as tfvae takes it, and as TensorFlow does."""
    data = tf.data.Dataset.from_generator(
        lambda: iter([X[:7], X[7:13], X[13:14]]), output_signature=tf.TensorSpec([None, *SHAPE])
    )

    def local(value):
        (found,) = strategy.experimental_local_results(value)
        return found.numpy()

    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    theirs = [local(part) for part in strategy.experimental_distribute_dataset(data.with_options(options))]
    mine = [local(strategy.run(part_of_batch, (batch,))) for batch in data]
    return mine, theirs


# Programs -------------------------------------------------------------------------------------------------------------


def mirrored(folder):
    """Two logical CPU devices."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = make_strategy("mirrored")
    board = VAETensorBoard(Path(folder) / "logs", X, every=1)
    vae = make_vae(strategy, BadAt())  # whose steps are traced once: for arrays, where nothing is bad, and for the rest
    found = {"arrays": fit_arrays(epochs=2, callbacks=[board], vae=vae), "noise": _noise(strategy)}
    labels, weights = np.zeros(len(X), "float32"), WEIGHTS[:, None].astype("float32")  # as Keras has them of arrays
    for name, value in (("outside", 7.0), ("non-finite", 0.25)):
        data = X.copy()
        data[BATCH_SIZE * 3 - 1] = value  # the third batch, in the second replica's part
        try:
            vae.fit(tf.data.Dataset.from_tensor_slices((data, labels, weights)).batch(BATCH_SIZE), verbose=0)
        except NonFiniteLossError as error:
            found[name] = error.term, error.step
        except ValueError as error:
            found[name] = str(error)
    return found


def _noise(strategy):
    """What each replica draws of equal examples, and the random states before and after."""
    vae = make_vae(strategy, SGVB(), middle=[lambda: keras.layers.Dropout(0.5, seed=1)])
    dropout = vae.encoder.layers[1]
    before = vae.seed_generator.state.numpy(), dropout.seed_generator.state.numpy()

    def draw():
        with replica_seeds(vae):
            drawn = vae.estimate(tf.ones([2, *SHAPE]), training=True).log_likelihood
            masks = [dropout(tf.ones([50]), training=True) for _ in range(2)]
        return drawn, *masks, vae.seed_generator.state.value, dropout.seed_generator.state.value

    parts = tf.function(lambda: strategy.run(draw), autograph=False)()
    return before, [[value.numpy() for value in strategy.experimental_local_results(part)] for part in parts]


def mirrored_more(folder):
    """The rest: float16, batch normalisation, single batches, data through a `tf.data` service."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = make_strategy("mirrored")
    found = {"split": fit_split(strategy), "two phases": fit_two_phases(strategy)}
    vae = make_vae(strategy, middle=[keras.layers.BatchNormalization])
    vae.fit(X, batch_size=BATCH_SIZE, shuffle=False, verbose=0)
    found["batch normalisation"] = [[part.numpy() for part in weight.value.values] for weight in vae.weights]
    for name, where in (("one", None), ("both", strategy)):
        vae = make_vae(where)
        found[f"single batches, {name}"] = [vae.train_on_batch(X[:8]), vae.test_on_batch(X[:5])]
    dispatcher = tf.data.experimental.service.DispatchServer()
    address = dispatcher.target.split("://")[1]
    worker = tf.data.experimental.service.WorkerServer(
        tf.data.experimental.service.WorkerConfig(dispatcher_address=address)
    )
    service = tf.data.experimental.service.distribute(
        tf.data.experimental.service.ShardingPolicy.OFF, dispatcher.target
    )
    for name, change in (("direct", lambda data: data), ("service", lambda data: data.apply(service))):
        vae = make_vae(strategy)
        vae.fit(change(tf.data.Dataset.from_tensor_slices(X).batch(BATCH_SIZE)), verbose=0)
        found[name] = vae.get_weights()
    del worker
    keras.mixed_precision.set_global_policy("mixed_float16")
    for name, where in (("float16, one", None), ("float16, both", strategy)):
        vae = make_vae(where)
        vae.fit(X, batch_size=BATCH_SIZE, shuffle=False, epochs=2, verbose=0)
        found[name] = vae.get_weights(), float(vae.optimizer.dynamic_scale.numpy())
    return found


class TwoPhases:
    """The decoder, then the encoder, each by an optimizer of its own: an objective without chance."""

    layers = ()
    metric_names = ("log_likelihood",)

    def build(self, x_shape, latent_shape):
        pass

    def variables(self, model):
        return {"decoder": model.decoder.trainable_variables, "encoder": model.encoder.trainable_variables}

    def updates(self, model, batch, *, training, seed):
        def fit():
            log_likelihood = model.generate(model.infer(batch.x).mean()).log_prob(batch.x)
            return tfvae.models.Loss(-log_likelihood, {"log_likelihood": log_likelihood})

        def shrink():
            return tfvae.models.Loss(model.infer(batch.x).kl_divergence(model.prior.distribution()))

        return [tfvae.models.Update("decoder", fit), tfvae.models.Update("encoder", shrink)]


def fit_two_phases(strategy=None):
    """Both phases, on batches smaller than the replicas too."""
    vae = make_vae(strategy)
    vae.objective = TwoPhases()
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        vae.compile({"decoder": keras.optimizers.SGD(0.1), "encoder": keras.optimizers.Adam(0.01)}, jit_compile=False)
    history = vae.fit(X, batch_size=BATCH_SIZE, shuffle=False, sample_weight=WEIGHTS, epochs=2, verbose=0).history
    return {"weights": vae.get_weights(), "history": history, "steps": vae.num_updates}


def workers(folder):
    """Several workers; each but the first starts with random seeds of its own."""
    strategy = make_strategy("multi_worker")
    index = strategy.cluster_resolver.task_id
    vae = make_vae(strategy)
    found = {"arrays": fit_arrays(vae=vae), "chief": is_chief(strategy)}
    found["parts"] = parts_of_batches(strategy)
    tf.random.set_seed(index)
    vae.fit(X, batch_size=BATCH_SIZE, sample_weight=WEIGHTS, epochs=2, verbose=0)
    found["shuffled"] = vae.get_weights()
    with worker_folder(strategy, RunFolder(folder / "run")) as own:
        own.path.mkdir(parents=True)
        (own.path / f"written by {index}").touch()
    return found


def workers_more(folder):
    """Splits, in memory and on disk."""
    strategy = make_strategy("multi_worker")
    return {
        "split": fit_split(strategy),
        "shards": fit_split(strategy, folder / "shards"),
        "batches": fit_batches(strategy),
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
    }


def workers_back_up(folder):
    """A fit of 12 epochs with Keras' own backup, slow enough to be killed within one."""
    strategy = make_strategy("multi_worker")
    index = strategy.cluster_resolver.task_id

    class Told(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_begin(self, batch, logs=None):
            if batch == 3:
                (folder / f"{index} in epoch {self.epoch}").touch()
                time.sleep(0.3)

    backup = keras.callbacks.BackupAndRestore(folder / f"backup-{index}")
    return fit_arrays(strategy, epochs=12, callbacks=[backup, Told()])


def command(folder):
    """`tfvae train` with the arguments in `arguments.json`."""
    from tfvae.cli import app

    sys.argv = ["tfvae", *json.loads((folder / "arguments.json").read_text())]
    try:
        app.main()
    except SystemExit as stop:
        if stop.code:
            raise
    return {}


PROGRAMS = (mirrored, mirrored_more, workers, workers_more, workers_back_up, command)


# Running them ---------------------------------------------------------------------------------------------------------


class Processes:
    """A context manager that starts a program, in several workers where a number is given, and ends what is left.

    Attributes:
        popen: the processes, in the order of the workers.
    """

    def __init__(self, program, folder, num_workers=None):
        self._folder = folder
        ports = _free_ports(num_workers or 0)
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
        self.popen = []
        for index in range(num_workers or 1):
            environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "200"}
            if num_workers:
                environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
            with (folder / f"{index}.log").open("w") as log:
                self.popen.append(
                    subprocess.Popen(
                        [sys.executable, __file__, program.__name__, folder],
                        env=environment,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.popen:
            process.kill()
            process.wait(300)

    def log(self, index=0):
        return (self._folder / f"{index}.log").read_text()

    def results(self):
        """What each worker found."""
        for index, process in enumerate(self.popen):
            assert process.wait(600) == 0, self.log(index)
        return [pickle.loads((self._folder / f"{index}.pkl").read_bytes()) for index in range(len(self.popen))]

    def kill(self, index):
        os.kill(self.popen[index].pid, signal.SIGKILL)

    def wait_for(self, path):
        """Waits for a file."""
        for _ in range(6000):
            if path.exists():
                return
            assert all(process.poll() is None for process in self.popen), self.log()
            time.sleep(0.1)
        raise TimeoutError(path)


def _free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def assert_same_run(mine, theirs):
    """Equal weights and history but for rounding."""
    assert mine["steps"] == theirs["steps"]
    assert mine["history"].keys() == theirs["history"].keys()
    for name, values in theirs["history"].items():
        np.testing.assert_allclose(mine["history"][name], values, rtol=1e-5, err_msg=name)
    for a, b in zip(mine["weights"], theirs["weights"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def main():
    name, folder = sys.argv[1], Path(sys.argv[2])
    sys.path.insert(0, str(Path(__file__).parent))
    found = {program.__name__: program for program in PROGRAMS}[name](folder)
    index = json.loads(os.environ.get("TF_CONFIG", '{"task": {"index": 0}}'))["task"]["index"]
    (folder / f"{index}.pkl").write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main()

"""Monte Carlo EM, the paper's baseline without an encoder (appendix E)."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._errors import reading
from tfvae._files import replacing
from tfvae._seeds import fold_in, split_seed, stateless_seed
from tfvae.data import Split
from tfvae.models import VAE, Batch, Bound, Loss, Update
from tfvae.papers.kingma_welling_2013.algorithm_1 import BATCH_SIZE, LEARNING_RATES, MODEL, adagrad
from tfvae.typing import Seed, Tensor

NUM_LEAPFROG_STEPS = 10
NUM_UPDATES = 5  # of the weights, with the z of one transition
TARGET_ACCEPTANCE = 0.9
_CHAINS = "chains.npz"
_FIRST_STEP_SIZE, _RATE = 0.1, 0.2
_NEWEST = 0.01  # weight of the newest transition in the mean acceptance


class ChainObjective:
    """The objective of Monte Carlo EM, for batches whose condition is the index of each example.

    One transition of Hamiltonian Monte Carlo moves the z of each example towards p(z|x); then five updates of the
    decoder's weights ascend log p(x, z). The step size follows the acceptance.

    Args:
        z: The first z of each example `[N, D]`.
        seed: An int32 tensor `[2]`.

    Attributes:
        variables_of_chains: The z of all examples, and what is known of the transitions.
    """

    layers: tuple[keras.layers.Layer, ...] = ()
    metric_names = ("log_likelihood",)

    def __init__(self, z: Tensor, *, seed: Tensor):
        self._seed = seed
        self.z = tf.Variable(z)
        self.step_size = tf.Variable(tf.constant(_FIRST_STEP_SIZE, self.z.dtype))
        self._acceptance = tf.Variable(tf.constant(0.0, self.z.dtype))
        self._num_cycles = tf.Variable(0)
        self.variables_of_chains = [self.z, self.step_size, self._acceptance, self._num_cycles]

    @property
    def num_cycles(self) -> int:
        """The number of minibatches so far."""
        return int(self._num_cycles.numpy())

    @property
    def acceptance(self) -> float:
        """The mean acceptance probability, over about the last hundred transitions; NaN before the first."""
        weight = 1.0 - (1.0 - _NEWEST) ** self.num_cycles  # the weight of all transitions so far
        return float(self._acceptance.numpy()) / weight if weight else math.nan

    def build(self, x_shape: tuple[int | None, ...], latent_shape: Any) -> None:
        """Has no layers to build."""

    def variables(self, model: VAE) -> Mapping[str, Sequence[Any]]:
        """Returns those of the decoder, which are all that is trained."""
        return {"model": model.decoder.trainable_variables}

    def updates(self, model: VAE, batch: Batch, *, training: bool, seed: Seed) -> Sequence[Update]:
        """Returns the transition, and the updates with the z that it made."""
        moved: list[Tensor] = []

        def move() -> Loss:
            moved.append(self._transition(model, batch.x, batch.condition))
            return Loss(tf.zeros(batch.size))

        def ascend() -> Loss:
            z = moved[0] if moved else tf.gather(self.z, batch.condition)
            log_likelihood = model.generate(z).log_prob(batch.x)
            return Loss(-log_likelihood, {"log_likelihood": log_likelihood})

        update = Update("model", ascend)
        return [Update("transition", move), *[update] * NUM_UPDATES] if training else [update]

    def _transition(self, model: VAE, x: Tensor, rows: Tensor) -> Tensor:
        """Moves the z `[B, D]` of some examples, and returns them."""
        _, seed = split_seed(fold_in(self._seed, 1 + self._num_cycles), 2, "monte_carlo_em")
        prior = model.prior.distribution()
        kernel = tfp.mcmc.HamiltonianMonteCarlo(
            lambda z: model.generate(z).log_prob(x) + prior.log_prob(z),
            step_size=self.step_size.value(),
            num_leapfrog_steps=NUM_LEAPFROG_STEPS,
        )
        before = tf.gather(self.z, rows)
        z, results = kernel.one_step(before, kernel.bootstrap_results(before), seed=seed)
        acceptance = tf.reduce_mean(tf.exp(tf.minimum(results.log_accept_ratio, 0.0)))
        self.z.scatter_nd_update(rows[:, tf.newaxis], z)
        self.step_size.assign(self.step_size * tf.exp(_RATE * (acceptance - TARGET_ACCEPTANCE)))
        self._acceptance.assign_add(_NEWEST * (acceptance - self._acceptance))
        self._num_cycles.assign_add(1)
        return z


class MonteCarloEM:
    """Trains the decoder of a VAE; a `Learner`.

    A minibatch has different examples, and a pass has its own order; see `ChainObjective` for what is done with it. A
    sample counts as seen each time it takes part in an update of the weights.

    Args:
        vae: The model; only the weights of its decoder are trained.
        train: The training set; every example has a z of its own, so that they are all in memory.
        seed: Seed of everything that is drawn.

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, appendix E.
        Wei & Tanner, A Monte Carlo Implementation of the EM Algorithm, 1990, JASA 85.
    """

    def __init__(self, vae: VAE, train: Split, *, seed: int):
        self.vae = vae
        self._x = tf.constant(train.x)
        self._seed = stateless_seed(seed)
        self._batch_size = min(BATCH_SIZE, len(train))
        first = vae.prior.distribution().sample(len(train), seed=fold_in(self._seed, 0))  # [N, D]
        self.chains = ChainObjective(first, seed=self._seed)
        vae.objective = self.chains
        vae.compile(adagrad(LEARNING_RATES[0]), jit_compile=False, steps_per_execution=100)
        vae.build_optimizer()
        self._first = [variable.numpy() for variable in self._variables]

    @property
    def _variables(self) -> list[Any]:
        return [*self.vae.decoder.variables, *self.vae.optimizer.variables, *self.chains.variables_of_chains]

    def diagnostics(self) -> dict[str, float]:
        return {"acceptance": self.chains.acceptance, "step_size": float(self.chains.step_size.numpy())}

    def restart(self, learning_rate: float) -> None:
        for variable, value in zip(self._variables, self._first, strict=True):
            variable.assign(value)
        self.vae.learning_rate = learning_rate

    def advance(self, num_samples: int) -> None:
        count = max(1, round(num_samples / (NUM_UPDATES * self._batch_size)))
        self.vae.fit(self._minibatches(self.chains.num_cycles), steps_per_epoch=count, verbose=0)

    def _minibatches(self, first: int) -> tf.data.Dataset:
        """Returns the minibatches from number `first` on, without end."""
        per_pass = self._x.shape[0] // self._batch_size

        def of_pass(number: Tensor) -> tf.data.Dataset:
            seed = fold_in(self._seed, 1 + tf.cast(number, tf.int32) * per_pass)
            seed_order, _ = split_seed(seed, 2, "monte_carlo_em")
            order = tf.random.experimental.stateless_shuffle(tf.range(self._x.shape[0]), seed_order)
            rows = tf.reshape(order[: per_pass * self._batch_size], [per_pass, self._batch_size])
            return tf.data.Dataset.from_tensor_slices(rows)

        passes = tf.data.Dataset.range(first // per_pass, tf.int64.max)
        rows = passes.flat_map(of_pass).skip(first % per_pass)
        return rows.map(lambda rows: {"x": tf.gather(self._x, rows), "condition": rows})

    def save(self, folder: Path) -> None:
        self.vae.objective, chains = Bound(), self.vae.objective  # which are a file of their own
        try:
            self.vae.save(folder / MODEL)
        finally:
            self.vae.objective = chains
        with replacing(folder / _CHAINS) as beside:
            np.savez(beside, *[variable.numpy() for variable in self._variables])

    def load(self, folder: Path) -> None:
        with reading(folder / _CHAINS, "Delete the folder to train it again."), np.load(folder / _CHAINS) as saved:
            for variable, key in zip(self._variables, saved.files, strict=True):
                variable.assign(saved[key])

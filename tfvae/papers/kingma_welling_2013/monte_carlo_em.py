"""Monte Carlo EM, the paper's baseline without an encoder (appendix E)."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._errors import reading
from tfvae._files import replacing
from tfvae._seeds import fold_in, split_seed, stateless_seed
from tfvae.data import Split
from tfvae.models import VAE
from tfvae.papers.kingma_welling_2013.algorithm_1 import BATCH_SIZE, LEARNING_RATES, MODEL, adagrad
from tfvae.typing import Tensor

NUM_LEAPFROG_STEPS = 10
NUM_UPDATES = 5  # of the weights, with the z of one transition
TARGET_ACCEPTANCE = 0.9
_CHAINS = "chains.npz"
_FIRST_STEP_SIZE, _RATE = 0.1, 0.2
_NEWEST = 0.01  # weight of the newest transition in the mean acceptance


class MonteCarloEM:
    """Trains the decoder of a VAE; a `Learner`.

    For a minibatch, one transition of Hamiltonian Monte Carlo moves the z of each example, which it keeps from one pass
    to the next, towards p(z|x); then five updates of the weights ascend log p(x, z) + log p(theta) / N. The step size
    follows the acceptance. A sample counts as seen each time it takes part in an update of the weights.

    Args:
        vae: the model; only the weights of its decoder are trained.
        train: the training set; every example has a z of its own, so that they are all held in memory.
        seed: of everything drawn.

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, appendix E.
        Wei & Tanner, A Monte Carlo Implementation of the EM Algorithm, 1990, JASA 85.
    """

    def __init__(self, vae: VAE, train: Split, *, seed: int):
        self.vae = vae
        self._x = tf.constant(train.x)
        self._seed = stateless_seed(seed)
        self._batch_size = min(BATCH_SIZE, len(train))
        self._optimizer = adagrad(LEARNING_RATES[0])
        self._optimizer.build(vae.decoder.trainable_variables)
        prior = vae.prior.distribution()
        self._z = tf.Variable(prior.sample(len(train), seed=fold_in(self._seed, 0)))  # [N, D]
        self._step_size = tf.Variable(tf.constant(_FIRST_STEP_SIZE, self._z.dtype))
        self._acceptance = tf.Variable(tf.constant(0.0, self._z.dtype))
        self._num_cycles = tf.Variable(0)
        self._order = tf.Variable(tf.range(len(train)))
        self._first = [variable.numpy() for variable in self._variables]

    @property
    def _variables(self) -> list[Any]:
        own = [self._z, self._step_size, self._acceptance, self._num_cycles, self._order]
        return [*self.vae.decoder.variables, *self._optimizer.variables, *own]

    @property
    def acceptance(self) -> float:
        """The mean acceptance probability, over about the last hundred transitions; NaN before the first."""
        weight = 1.0 - (1.0 - _NEWEST) ** int(self._num_cycles.numpy())  # what all transitions weigh by now
        return float(self._acceptance.numpy()) / weight if weight else math.nan

    def diagnostics(self) -> dict[str, float]:
        return {"acceptance": self.acceptance, "step_size": float(self._step_size.numpy())}

    def restart(self, learning_rate: float) -> None:
        for variable, value in zip(self._variables, self._first, strict=True):
            variable.assign(value)
        self._optimizer.learning_rate = learning_rate

    def advance(self, num_samples: int) -> None:
        self._cycles(tf.constant(max(1, round(num_samples / (NUM_UPDATES * self._batch_size)))))

    @tf.function(autograph=False)
    def _cycles(self, count: Tensor) -> None:
        """So many times: z of a minibatch, then the weights."""

        def cycle(i: Tensor) -> Tensor:
            seed = fold_in(self._seed, 1 + self._num_cycles)
            seed_rows, seed_z = split_seed(seed, 2, "monte_carlo_em")
            rows = tf.ensure_shape(self._next_rows(seed_rows), [self._batch_size])
            x = tf.gather(self._x, rows)
            z = self._transition(x, rows, seed_z)
            for _ in range(NUM_UPDATES):
                self._update(x, z)
            self._num_cycles.assign_add(1)
            return i + 1

        tf.while_loop(lambda i: i < count, cycle, [tf.constant(0)], parallel_iterations=1)

    def _next_rows(self, seed: Tensor) -> Tensor:
        """A minibatch of different examples: the next in the order of this pass; every pass has its own."""
        per_pass = self._x.shape[0] // self._batch_size
        number = self._num_cycles % per_pass

        def shuffled() -> Tensor:
            return tf.random.experimental.stateless_shuffle(tf.range(self._x.shape[0]), seed)

        self._order.assign(tf.cond(tf.equal(number, 0), shuffled, lambda: self._order.value()))
        return self._order[number * self._batch_size : (number + 1) * self._batch_size]

    def _transition(self, x: Tensor, rows: Tensor, seed: Tensor) -> Tensor:
        prior = self.vae.prior.distribution()
        kernel = tfp.mcmc.HamiltonianMonteCarlo(
            lambda z: self.vae.generate(z).log_prob(x) + prior.log_prob(z),
            step_size=self._step_size.value(),
            num_leapfrog_steps=NUM_LEAPFROG_STEPS,
        )
        before = tf.gather(self._z, rows)
        z, results = kernel.one_step(before, kernel.bootstrap_results(before), seed=seed)
        acceptance = tf.reduce_mean(tf.exp(tf.minimum(results.log_accept_ratio, 0.0)))
        self._z.scatter_nd_update(rows[:, tf.newaxis], z)
        self._step_size.assign(self._step_size * tf.exp(_RATE * (acceptance - TARGET_ACCEPTANCE)))
        self._acceptance.assign_add(_NEWEST * (acceptance - self._acceptance))
        return z

    def _update(self, x: Tensor, z: Tensor) -> None:
        weights = self.vae.decoder.trainable_variables
        with tf.GradientTape() as tape:
            log_likelihood = tf.reduce_mean(self.vae.generate(z).log_prob(x))
            loss = tf.add_n([-log_likelihood, *self.vae.decoder.losses])
        self._optimizer.apply(tape.gradient(loss, weights), weights)

    def save(self, folder: Path) -> None:
        self.vae.save(folder / MODEL)
        with replacing(folder / _CHAINS) as beside:
            np.savez(beside, *[variable.numpy() for variable in self._variables])

    def load(self, folder: Path) -> None:
        with reading(folder / _CHAINS, "Delete the folder to train it anew."), np.load(folder / _CHAINS) as saved:
            for variable, key in zip(self._variables, saved.files, strict=True):
                variable.assign(saved[key])

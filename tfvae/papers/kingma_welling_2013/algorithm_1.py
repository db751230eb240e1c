"""Algorithm 1, minibatch AEVB, with the networks of appendix C: model and training for all figures of the paper."""

from pathlib import Path
from typing import Any, Literal

import keras

from tfvae import layers
from tfvae.data import Split
from tfvae.data.batches import endless
from tfvae.estimators import SGVB, Estimator, ScoreFunction, WakeSleep
from tfvae.models import VAE
from tfvae.models.load import load_vae

BATCH_SIZE = 100  # M
LEARNING_RATES = (0.01, 0.02, 0.1)  # candidates for the global step size of Adagrad
INITIAL_VARIANCE = 0.01  # of every weight: N(0, 0.01), read as a variance

MODEL = "vae.keras"

# L = 1 in all of them.
ESTIMATORS: dict[str, Estimator] = {
    "aevb": SGVB(kl="analytic"),  # estimator B
    "aevb_a": SGVB(kl="monte_carlo"),  # estimator A
    "wake_sleep": WakeSleep(),
    "score_function": ScoreFunction(kl="monte_carlo"),  # naive estimator of section 2.2, score function for all of f
}


def build_vae(
    event_shape: tuple[int, ...],
    *,
    likelihood: Literal["bernoulli", "normal"],
    latent_size: int,
    hidden: int,
    num_train: int,
    estimator: Estimator,
    seed: int,
    initial_variance: float = INITIAL_VARIANCE,
) -> VAE:
    """Builds the model of the paper: one hidden layer of tanh units each, all weights drawn from N(0, 0.01).

    The prior N(0, I) on all weights (MAP) is an L2 penalty of 1 / (2 N) added to the mean over a minibatch. Algorithm 1
    maximises (N / M) sum_i L(x_i) + log p(theta), which is divided by N here.

    Args:
        event_shape: Shape of one x.
        likelihood: "bernoulli" (appendix C.1), or "normal" (C.2) with means in (0, 1) by a sigmoid (section 5).
        latent_size: N_z.
        hidden: Units of each hidden layer.
        num_train: N, the number of training examples.
        estimator: Estimator of the bound, or of the baseline's objective.
        seed: Random seed of the initial weights and of all draws in training.
        initial_variance: Variance of the initial weights.
    """
    dense = DenseLayers(num_train, seed, initial_variance)
    encoder = build_encoder(dense, latent_size, hidden)
    z = keras.Input([latent_size])
    y = dense(hidden, "tanh")(z)
    size = layers.IndependentBernoulli.params_size(event_shape)
    if likelihood == "bernoulli":
        x = layers.IndependentBernoulli(event_shape)(dense(size)(y))
    else:
        parameters = keras.layers.Concatenate()([dense(size, "sigmoid")(y), dense(size)(y)])
        x = layers.IndependentNormal(event_shape)(parameters)
    return VAE(encoder, keras.Model(z, x, name="decoder"), estimator=estimator, seed=seed)


def build_encoder(dense: "DenseLayers", latent_size: int, hidden: int) -> keras.Sequential:
    """Builds the Gaussian encoder of appendix C.2 with a diagonal covariance."""
    posterior = layers.MultivariateNormalDiag
    return keras.Sequential(
        [
            keras.layers.Flatten(),
            dense(hidden, "tanh"),
            dense(posterior.params_size(latent_size)),
            posterior(latent_size),
        ],
        name="encoder",
    )


class DenseLayers:
    """Factory of dense layers with the initial weights of the paper and the prior on them. Each layer has its own seed.

    Args:
        num_train: N, the number of training examples. None omits the prior.
        seed: Random seed of the initial weights.
        variance: Variance of the initial weights.
    """

    def __init__(self, num_train: int | None, seed: int, variance: float = INITIAL_VARIANCE):
        self._prior = None if num_train is None else keras.regularizers.L2(0.5 / num_train)
        self._seeds = iter(range(1000 * seed, 1000 * (seed + 1)))
        self._stddev = variance**0.5

    def __call__(self, units: int, activation: str | None = None) -> keras.layers.Layer:
        """Creates a layer."""
        return keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=self._initializer(),
            bias_initializer=self._initializer(),
            kernel_regularizer=self._prior,
            bias_regularizer=self._prior,
        )

    def _initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(stddev=self._stddev, seed=next(self._seeds))


def adagrad(learning_rate: float) -> keras.optimizers.Optimizer:
    """Creates Adagrad as published. Its sums of squares start at zero, so the scale of the objective has no effect."""
    return keras.optimizers.Adagrad(learning_rate, initial_accumulator_value=0.0, epsilon=1e-20)


def load_trained(folder: Path) -> VAE:
    """Loads the model that a learner of this paper has saved."""
    return load_vae(folder / MODEL)


class AlgorithmOne:
    """Learner that trains a VAE with algorithm 1.

    Args:
        vae: Model with its initial weights.
        train: Training set.
        seed: Random seed of the minibatches.
        jit_compile: Argument of `compile`.
    """

    def __init__(self, vae: VAE, train: Split, *, seed: int, jit_compile: bool | Literal["auto"] = "auto"):
        self.vae = vae
        self._train = train
        self._seed = seed
        vae.compile(adagrad(LEARNING_RATES[0]), jit_compile=jit_compile, steps_per_execution=100)
        self._first = [variable.numpy() for variable in self._variables]

    @property
    def _variables(self) -> list[Any]:
        return self.vae.training_variables()

    def diagnostics(self) -> dict[str, float]:
        return {}

    def restart(self, learning_rate: float) -> None:
        for variable, value in zip(self._variables, self._first, strict=True):
            variable.assign(value)
        self.vae.learning_rate = learning_rate

    def advance(self, num_samples: int) -> None:
        done = self.vae.num_updates
        batches = self._train.batches(BATCH_SIZE, shuffle=True, seed=self._seed + done, drop_remainder=True)
        self.vae.fit(endless(batches), steps_per_epoch=num_samples // BATCH_SIZE, verbose=0)

    def save(self, folder: Path) -> None:
        self.vae.save(folder / MODEL)

    def load(self, folder: Path) -> None:
        trained = load_trained(folder)
        for variable, value in zip(self._variables, trained.training_variables(), strict=True):
            variable.assign(value)

"""Models of the paper, and their training."""

import dataclasses
from typing import Any

import keras

from tfvae import layers, networks, priors
from tfvae.data import Split
from tfvae.layers import DistributionLayer
from tfvae.models import VAE
from tfvae.training.initial_weights import start_at_marginals

NUM_SHARES, HIDDEN, ALPHA0, ACTIVATION = 50, 500, 5.0, "relu"
BATCH_SIZE, LEARNING_RATE, LAST_SHARE = 100, 2e-3, 0.02
_SHAPE = (28, 28, 1)


@dataclasses.dataclass(frozen=True)
class Row:
    """Posterior of the paper.

    Attributes:
        name: Its name.
        layer: Distribution layer.
        negative_log_likelihood: Published value in nats.
        errors: Published errors of 3, 5 and 10 nearest neighbours, in per cent.
    """

    name: str
    layer: Any
    negative_log_likelihood: float
    errors: tuple[float, ...] = ()


ROWS = (
    Row("Gaussian", layers.MultivariateNormalDiag, 96.80, (28.4, 20.96, 15.33)),
    Row("Kumaraswamy", layers.KumaraswamySticks, 98.01, (9.34, 8.65, 8.90)),
    Row("gamma", layers.GammaSticks, 100.74),
    Row("logit-normal", layers.LogitNormalSticks, 99.48),
)
GAUSSIAN, KUMARASWAMY = ROWS[0].name, ROWS[1].name


def build_vae(row: Row, train: Split, num_passes: int, seed: int) -> VAE:
    """Builds and compiles the model of a row: one hidden layer of 500 units in encoder and decoder.

    The stick-breaking models have the log-odds of 49 sticks as latents. Their decoder gets shares times 50, which have
    the mean 1, and before training their posteriors are near the prior. The Gaussian model has 50 latent dimensions.

    Args:
        row: Row of the tables.
        train: Training images.
        num_passes: Passes over them, over which the learning rate falls as a cosine.
        seed: Random seed of the initial weights and of all draws in training.
    """
    keras.utils.set_random_seed(seed)
    is_gaussian = row.name == GAUSSIAN
    size = NUM_SHARES if is_gaussian else NUM_SHARES - 1
    likelihood = layers.IndependentBernoulli
    encoder = networks.mlp(row.layer.params_size(size), (HIDDEN,), ACTIVATION)
    decoder = networks.mlp(likelihood.params_size(_SHAPE), (HIDDEN,), ACTIVATION)
    before = [] if is_gaussian else [layers.StickBreaking(), keras.layers.Rescaling(float(NUM_SHARES))]
    vae = VAE(
        keras.Sequential([keras.Input(_SHAPE), encoder, _posterior(row, size)]),
        keras.Sequential([keras.Input((size,)), *before, decoder, likelihood(_SHAPE)]),
        prior=priors.StandardNormal(size) if is_gaussian else priors.StickBreaking(size, ALPHA0),
        seed=seed,
    )
    start_at_marginals(vae, train, "bernoulli")
    num_steps = num_passes * (len(train) // BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, num_steps, alpha=LAST_SHARE)
    vae.compile(keras.optimizers.Adam(rate), jit_compile=True, steps_per_execution=100)
    return vae


def _posterior(row: Row, size: int) -> DistributionLayer:
    has_start = row.layer in (layers.KumaraswamySticks, layers.GammaSticks)
    return row.layer(size, **({"start": ALPHA0} if has_start else {}))

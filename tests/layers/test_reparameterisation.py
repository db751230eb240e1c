"""The catalogue of docs/reparameterisation.md: each row as it stands there, each gradient against a closed form."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

import tfvae
from tfvae import estimators, layers
from tfvae._kl import exact_kl_or_none

tfd = tfp.distributions
PAGE = (Path(__file__).parents[2] / "docs" / "reparameterisation.md").read_text()
B = 4
X = np.random.default_rng(0).integers(0, 2, size=(B, 6)).astype("float32")


def table(first_column):
    """The rows of the table with this first column, by their first cell."""
    body = re.search(rf"^\| {first_column} \|.*\n\| ---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE).group(1)
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in body.splitlines()]
    return {row[0]: row[1:] for row in rows}


CATALOGUE, DISCRETE = table("family"), table("latent")
NAMES = {"tf": tf, "tfd": tfd, "layers": layers, "keras": keras, **vars(layers)}
# The page's first example defines the functions that its rows name.
exec(re.search(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL).group(1), NAMES)


def evaluated(cell):
    """The first piece of code in a cell."""
    return eval(re.search(r"`([^`]+)`", cell).group(1), NAMES)


# The pathwise gradient of E[f(z)] ------------------------------------------------------------------------------------

digamma, lgamma, log, exp = tf.math.digamma, tf.math.lgamma, tf.math.log, tf.exp
EULER, PI = np.euler_gamma, np.pi


def logits_moment(logits, temperature):
    return (tf.square(logits[..., 0] - logits[..., 1]) + PI**2 / 3) / temperature**2


# Of each family: the distribution of given parameters, their values, f, and E[f(z)] as a function of the parameters.
MOMENTS = {
    "normal": (tfd.Normal, {"loc": 0.7, "scale": 1.3}, tf.square, lambda loc, scale: loc**2 + scale**2),
    "Laplace": (tfd.Laplace, {"loc": 0.7, "scale": 1.3}, tf.square, lambda loc, scale: loc**2 + 2 * scale**2),
    "Student t": (
        tfd.StudentT, {"df": 9.0, "loc": 0.7, "scale": 1.3}, tf.square,
        lambda df, loc, scale: loc**2 + scale**2 * df / (df - 2),
    ),
    "logistic": (
        tfd.Logistic, {"loc": 0.7, "scale": 1.3}, tf.square, lambda loc, scale: loc**2 + (PI * scale) ** 2 / 3,
    ),
    "uniform": (
        tfd.Uniform, {"low": -0.4, "high": 1.3}, tf.square, lambda low, high: (low**2 + low * high + high**2) / 3,
    ),
    "triangular": (
        tfd.Triangular, {"low": -0.4, "high": 1.3, "peak": 0.9}, tf.square,
        lambda low, high, peak: (low**2 + high**2 + peak**2 + low * high + low * peak + high * peak) / 6,
    ),
    "exponential": (tfd.Exponential, {"rate": 1.3}, tf.square, lambda rate: 2 / rate**2),
    "Cauchy": (
        tfd.Cauchy, {"loc": 0.7, "scale": 1.3}, lambda z: log(1 + z**2),
        lambda loc, scale: log((1 + scale) ** 2 + loc**2),
    ),
    "Weibull": (
        tfd.Weibull, {"concentration": 1.6, "scale": 1.3}, tf.square,
        lambda concentration, scale: scale**2 * exp(lgamma(1 + 2 / concentration)),
    ),
    "Rayleigh": (
        lambda scale: tfd.Weibull(tf.constant(2.0, scale.dtype), scale), {"scale": 1.3}, tf.square,
        lambda scale: scale**2,
    ),
    "Pareto": (
        tfd.Pareto, {"concentration": 1.6, "scale": 1.3}, log,
        lambda concentration, scale: log(scale) + 1 / concentration,
    ),
    "Gumbel": (
        tfd.Gumbel, {"loc": 0.7, "scale": 1.3}, tf.square,
        lambda loc, scale: (loc + EULER * scale) ** 2 + (PI * scale) ** 2 / 6,
    ),
    "Kumaraswamy": (
        tfd.Kumaraswamy, {"concentration1": 1.6, "concentration0": 2.3}, lambda z: z,
        lambda concentration1, concentration0: concentration0 * exp(
            lgamma(1 + 1 / concentration1) + lgamma(concentration0) - lgamma(1 + 1 / concentration1 + concentration0)
        ),
    ),
    "log-normal": (tfd.LogNormal, {"loc": 0.3, "scale": 0.6}, lambda z: z, lambda loc, scale: exp(loc + scale**2 / 2)),
    "gamma": (
        tfd.Gamma, {"concentration": 1.6, "rate": 1.3}, log,
        lambda concentration, rate: digamma(concentration) - log(rate),
    ),
    "Dirichlet": (
        tfd.Dirichlet, {"concentration": [0.8, 1.6, 2.3]}, lambda z: log(z[..., 0]) + 2 * log(z[..., 2]),
        lambda concentration: digamma(concentration[..., 0]) + 2 * digamma(concentration[..., 2])
        - 3 * digamma(tf.reduce_sum(concentration, axis=-1)),
    ),
    "beta": (
        tfd.Beta, {"concentration1": 1.6, "concentration0": 2.3}, log,
        lambda concentration1, concentration0: digamma(concentration1) - digamma(concentration1 + concentration0),
    ),
    "chi-squared": (tfd.Chi2, {"df": 3.3}, tf.square, lambda df: df * (df + 2)),
    "relaxed categorical": (
        tfd.RelaxedOneHotCategorical, {"temperature": 0.8, "logits": [0.4, -0.3, 0.9]},
        lambda z: tf.square(log(z[..., 0] / z[..., 1])), lambda temperature, logits: logits_moment(logits, temperature),
    ),
    "relaxed categorical, its logarithm": (
        tfd.ExpRelaxedOneHotCategorical, {"temperature": 0.8, "logits": [0.4, -0.3, 0.9]},
        lambda z: tf.square(z[..., 0] - z[..., 1]), lambda temperature, logits: logits_moment(logits, temperature),
    ),
    "relaxed Bernoulli": (
        tfd.RelaxedBernoulli, {"temperature": 0.8, "logits": 0.4}, lambda z: tf.square(log(z) - log(1 - z)),
        lambda temperature, logits: (logits**2 + PI**2 / 3) / temperature**2,
    ),
    "relaxed Bernoulli, its logit": (
        lambda temperature, logits: tfd.Logistic(logits / temperature, 1 / temperature),
        {"temperature": 0.8, "logits": 0.4}, tf.square,
        lambda temperature, logits: (logits**2 + PI**2 / 3) / temperature**2,
    ),
}  # fmt: skip


def test_every_row_has_a_moment():
    assert set(MOMENTS) == set(CATALOGUE)


# Of every way to be reparameterised one: a location and a scale, an inverse, implicit gradients, a transformation.
@pytest.mark.parametrize("family", slow_except(MOMENTS, "normal", "triangular", "Dirichlet", "relaxed categorical"))
def test_pathwise_gradient_against_the_moments(family):
    make, values, f, expectation = MOMENTS[family]
    # Each draw has parameters of its own, so that the gradient of the sum is each draw's.
    n = 20_000
    constants = {name: tf.constant(value, tf.float64) for name, value in values.items()}
    copies = {name: tf.tile(value[tf.newaxis], [n] + [1] * value.shape.rank) for name, value in constants.items()}
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([copies, constants])
        distribution = make(**copies)
        drawn = f(distribution.sample(seed=(1, 2)))
        exact = expectation(**constants)
    assert distribution.reparameterization_type == tfd.FULLY_REPARAMETERIZED
    assert drawn.shape == (n,)
    assert drawn.dtype == tf.float64
    slopes, exact_slopes = tape.gradient(drawn, copies), tape.gradient(exact, constants)
    pairs = [(drawn, exact), *((slopes[name], exact_slopes[name]) for name in values)]
    for values_of_draws, truth in pairs:
        error = tf.math.reduce_std(values_of_draws, axis=0) / np.sqrt(n)
        # Where every draw has the same gradient, rounding is all there is.
        allowed = 5 * error + 1e-9 * tf.abs(truth)
        np.testing.assert_array_less(tf.abs(tf.reduce_mean(values_of_draws, axis=0) - truth), allowed + 1e-12)


# In a VAE ------------------------------------------------------------------------------------------------------------


def make_vae(posterior, prior, estimator=None, first=()):
    size = getattr(posterior, "parameters_size", None)
    if isinstance(posterior, layers.DistributionLambda):
        size = {"uniform": 6, "triangular": 9}[posterior.make_distribution_fn.__name__]
    elif size is None:
        size = 3
    keras.utils.set_random_seed(2)
    encoder = keras.Sequential([keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(size), posterior])
    decoder = keras.Sequential(
        [*first, keras.layers.Flatten(), keras.layers.Dense(6), layers.IndependentBernoulli((6,))]
    )
    return tfvae.models.VAE(encoder, decoder, prior, estimator, seed=1)


def check_one_step(vae):
    vae.check_data(X)
    with tf.GradientTape() as tape:
        estimate = vae.estimate(X, training=True, seed=3)
        loss = tf.reduce_mean(estimate.surrogate_loss)
    for value in tf.nest.flatten(estimate):
        assert value.shape == (B,)
        assert np.isfinite(value).all()
    slopes = tape.gradient(loss, vae.trainable_variables)
    for variable, slope in zip(vae.trainable_variables, slopes, strict=True):
        assert slope is not None, variable.path
        assert np.isfinite(slope).all(), variable.path


@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=pytest.mark.slow if i % 6 else ()) for i, name in enumerate(CATALOGUE)]
)
def test_row_is_a_posterior_of_a_vae(family):
    *_, posterior, prior, kl = CATALOGUE[family]
    vae = make_vae(evaluated(posterior), evaluated(prior))
    check_one_step(vae)
    q = vae.infer(X)
    assert q.reparameterization_type == tfd.FULLY_REPARAMETERIZED
    assert (exact_kl_or_none(q, vae.prior.distribution()) is not None) == (not kl.startswith("Monte Carlo"))
    assert vae.prior.distribution().sample(seed=(1, 2)).shape == q.event_shape


EXACT = {
    "ScoreFunction(baseline=RunningMean())": lambda: estimators.ScoreFunction(baseline=estimators.RunningMean()),
    "VIMCO()": estimators.VIMCO,
    "ReweightedWakeSleep()": estimators.ReweightedWakeSleep,
    "WakeSleep()": estimators.WakeSleep,
}


@pytest.mark.parametrize(
    ("latent", "name"),
    [
        pytest.param(latent, name, marks=() if i == j % len(DISCRETE) else pytest.mark.slow)
        for i, latent in enumerate(DISCRETE)
        for j, name in enumerate(EXACT)
    ],
)
def test_exact_discrete_latents(latent, name):
    posterior, prior, _ = DISCRETE[latent]
    vae = make_vae(evaluated(posterior), evaluated(prior), EXACT[name]())
    check_one_step(vae)
    z = vae.infer(X).sample(seed=(1, 2))
    assert set(np.unique(z)) <= {0.0, 1.0}
    assert f"`{name}`" in DISCRETE["binary"][2]


@pytest.mark.parametrize("latent", list(DISCRETE))
def test_a_pathwise_estimator_refuses_them_and_names_this_page(latent):
    posterior, prior, _ = DISCRETE[latent]
    vae = make_vae(evaluated(posterior), evaluated(prior))
    vae.check_data(X)
    with pytest.raises(ValueError, match=r"ScoreFunction, VIMCO.*docs/reparameterisation.md"):
        vae.estimate(X)


# Straight-through ----------------------------------------------------------------------------------------------------


def test_straight_through_is_hard_and_has_the_soft_gradient():
    z = tf.Variable(tf.nn.log_softmax(np.random.default_rng(1).normal(size=(5, 2, 3))))
    weights = np.random.default_rng(2).normal(size=(2, 3))
    with tf.GradientTape() as tape:
        hard = NAMES["straight_through"](z)
        value = tf.reduce_sum(weights * hard)
    np.testing.assert_array_equal(hard, np.eye(3)[np.argmax(z, axis=-1)])
    np.testing.assert_allclose(tape.gradient(value, z), weights * np.exp(z), rtol=1e-12)


def test_straight_through_in_a_vae_survives_its_file(tmp_path):
    *_, posterior, prior, _ = CATALOGUE["relaxed categorical, its logarithm"]
    vae = make_vae(evaluated(posterior), evaluated(prior), first=[keras.layers.Lambda(NAMES["straight_through"])])
    check_one_step(vae)
    vae.compile("sgd", jit_compile=False)
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    np.testing.assert_allclose(loaded.elbo(X, seed=5), vae.elbo(X, seed=5), rtol=1e-6)


def test_uniform_and_triangular_stay_within_their_ends():
    parameters = np.random.default_rng(4).normal(size=(7, 6)).astype("float32")
    q = NAMES["uniform"](parameters)
    z = q.sample(100, seed=(1, 2))
    half = np.log1p(np.exp(parameters[:, 3:])) + 1e-5
    assert (np.abs(z - parameters[:, :3]) <= half * (1 + 1e-6)).all()
    np.testing.assert_allclose(q.log_prob(parameters[:, :3]), -np.sum(np.log(2 * half), axis=-1), rtol=1e-5)
    t = NAMES["triangular"](np.concatenate([parameters, parameters[:, :3]], axis=1))
    np.testing.assert_allclose(t.distribution.high - t.distribution.low, 2 * half, rtol=1e-5)
    assert (t.distribution.low < t.distribution.peak).numpy().all()

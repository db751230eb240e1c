"""Distributions whose numbers hold where TFP's lose their digits, and draws that stay inside the support."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tfvae import evaluation, layers, priors
from tfvae.layers._stable import stable

tfd = tfp.distributions
INF = float("inf")


def exact(tensor):
    return float(np.ravel(tensor)[0])


# ---- Counts


@pytest.mark.parametrize("parameterization", ["log_rate", "rate"])
@pytest.mark.parametrize(
    ("rate", "count"),
    [
        *[(162754.0, 162754.0), (3e6, 3e6), (3e6, 3.001e6), (3e6, 4e6), (1e7, 3.0), (1e10, 1e10), (40.0, 44.0)],
        *[(15.5, 15.0), (16.5, 16.0), (100.0, 17.0), (5.0, 3.0), (1e-10, 0.0), (1e-30, 1.0), (1e-10, 100.0)],
    ],
)
def test_poisson_log_prob_to_float_precision(rate, count, parameterization):
    if parameterization == "log_rate":
        log_rate = np.float32(np.log(rate))
        distribution = layers.IndependentPoisson.new(tf.constant([[log_rate]]), (1,))
        rate = np.exp(np.float64(log_rate))
    else:
        distribution = stable(tfd.Independent(tfd.Poisson(tf.constant([[rate]], tf.float32)), 1))
        rate = np.float64(np.float32(rate))
    assert isinstance(distribution.distribution, tfd.Poisson)
    count = np.float32(count)
    expected = scipy.stats.poisson.logpmf(np.float64(count), rate)
    np.testing.assert_allclose(distribution.log_prob([[count]]), [expected], rtol=2e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_poisson_gradient_is_count_minus_rate(jit_compile):
    log_rate = tf.constant(np.log([1e-3, 7.0, 15.0, 162754.0, 3e6, 3e6, 3e6]), tf.float64)
    count = tf.constant([0.0, 20.0, 16.0, 162700.0, 3e6, 2.7e6, 1.0], tf.float64)

    @tf.function(jit_compile=jit_compile)
    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(log_rate)
            log_prob = stable(tfd.Poisson(log_rate=log_rate)).log_prob(count)
        return tape.gradient(log_prob, log_rate)

    np.testing.assert_allclose(gradient(), count - np.exp(log_rate), rtol=1e-11, atol=1e-8)


def test_poisson_refuses_what_is_no_count():
    distribution = stable(tfd.Poisson(rate=tf.constant(20.0), force_probs_to_zero_outside_support=True))
    np.testing.assert_array_equal(distribution.log_prob([-1.0, 20.5]), [-INF, -INF])


@pytest.mark.slow
def test_counts_are_drawn_under_xla_after_a_graph_without_it():
    """TFP has one traced sampler for both."""
    layer = layers.IndependentNegativeBinomial((1,), seed=1)
    for jit_compile in (False, True):
        signature = [tf.TensorSpec([None, 2], tf.float32)]
        draw = tf.function(lambda t: tf.convert_to_tensor(layer(t)), input_signature=signature, jit_compile=jit_compile)
        assert draw(tf.ones([4, 2])).shape == (4, 1)


COUNTS = {
    "negative binomial": (
        lambda: layers.IndependentNegativeBinomial.new(tf.constant([[1e5, 0.01]]), (1,)),
        99_000.0,
        lambda d, x: scipy.stats.nbinom.logpmf(x, exact(d.total_count), scipy.special.expit(-exact(d.logits))),
    ),
    "beta-binomial": (
        lambda: layers.BetaBinomial.new(tf.constant([[3000.0, 3000.0]]), (1,), 10**6),
        500_000.0,
        lambda d, x: scipy.stats.betabinom.logpmf(x, 10**6, exact(d.concentration1), exact(d.concentration0)),
    ),
    "binomial": (
        lambda: layers.GenericDistribution.new(tf.constant([[0.1]]), tfd.Binomial, (1,), fixed={"total_count": 1e6}),
        524_000.0,
        lambda d, x: scipy.stats.binom.logpmf(x, 10**6, scipy.special.expit(exact(d.logits))),
    ),
    "beta": (
        lambda: layers.IndependentBeta.new(tf.constant([[1e5, 3e5]]), (1,)),
        0.25,
        lambda d, x: scipy.stats.beta.logpdf(x, exact(d.concentration1), exact(d.concentration0)),
    ),
    "gamma": (
        lambda: layers.GenericDistribution.new(tf.constant([[1e6, 2.3]]), tfd.Gamma, (1,)),
        100_300.0,
        lambda d, x: scipy.stats.gamma.logpdf(x, exact(d.concentration), scale=np.exp(-exact(d.log_rate))),
    ),
}


@pytest.mark.parametrize("name", list(COUNTS))
def test_large_parameters_lose_no_digits(name):
    make, x, expected = COUNTS[name]
    distribution = make()
    assert type(distribution.distribution).__name__.lstrip("_") in dir(tfd)
    np.testing.assert_allclose(distribution.log_prob([[x]]), [expected(distribution.distribution, x)], rtol=2e-6)


@pytest.mark.parametrize(
    ("cls", "a", "b"),
    [
        (tfd.Gamma, (1e6, 10.0), (1e6, 10.001)),
        (tfd.Beta, (1e5, 1e5), (1.001e5, 1e5)),
        (tfd.Dirichlet, ([1e5, 2e5],), ([1.001e5, 2e5],)),
        (tfd.Chi2, (1e6,), (1.001e6,)),
    ],
)
def test_divergences_at_large_concentrations(cls, a, b):
    q, p = (cls(*(tf.constant(value, tf.float32) for value in values)) for values in (a, b))
    q64, p64 = (cls(*(tf.cast(tf.constant(value, tf.float32), tf.float64) for value in values)) for values in (a, b))
    expected = tfd.kl_divergence(q64, p64)
    for pair in ((stable(q), stable(p)), (stable(q), p), (q, stable(p))):
        np.testing.assert_allclose(tfd.kl_divergence(*pair), expected, rtol=1e-5)
    np.testing.assert_allclose(stable(q).entropy(), q64.entropy(), rtol=1e-6)


# ---- Impossible categories

LOGITS = tf.constant([[0.0, 1.0, -INF]])
P = scipy.special.softmax([0.0, 1.0])
MIXTURE = layers.CategoricalMixtureOfOneHotCategorical
OTHER = layers.OneHotCategorical.new(tf.zeros([1, 3]), 3)
IMPOSSIBLE = {
    "allowed": (lambda t: layers.OneHotCategorical.new(t, 3).log_prob([[0.0, 1.0, 0.0]]), np.log(P[1])),
    "forbidden": (lambda t: layers.OneHotCategorical.new(t, 3).log_prob([[0.0, 0.0, 1.0]]), -INF),
    "entropy": (lambda t: layers.OneHotCategorical.new(t, 3).entropy(), -P @ np.log(P)),
    "kl": (lambda t: tfd.kl_divergence(layers.OneHotCategorical.new(t, 3), OTHER), P @ np.log(3 * P)),
    "kl to TFP's": (
        lambda t: tfd.kl_divergence(layers.OneHotCategorical.new(t, 3), tfd.OneHotCategorical(logits=LOGITS)),
        0.0,
    ),
    "infinite kl": (lambda t: tfd.kl_divergence(OTHER, layers.OneHotCategorical.new(t, 3)), INF),
    "generic": (
        lambda t: layers.GenericDistribution.new(t, tfd.OneHotCategorical, (3,)).log_prob([[1, 0, 0]]),
        np.log(P[0]),
    ),
    "mixture": (
        lambda t: MIXTURE.new(tf.concat([[[0.0, 0.0]], t, t], 1), 3, 2).log_prob([[1.0, 0.0, 0.0]]),
        np.log(P[0]),
    ),
    "mixture, forbidden": (
        lambda t: MIXTURE.new(tf.concat([[[0.0, 0.0]], t, t], 1), 3, 2).log_prob([[0.0, 0.0, 1.0]]),
        -INF,
    ),
    "log mean": (
        lambda t: MIXTURE.new(tf.concat([[[0.0, 0.0]], t, t], 1), 3, 2).log_mean(),
        [[np.log(P[0]), np.log(P[1]), -INF]],
    ),
    "no component": (
        lambda t: layers.MixtureNormal.new(tf.concat([t, tf.zeros([1, 6])], 1), 3, (1,)).log_prob([[0.5]]),
        scipy.stats.norm.logpdf(0.5, scale=np.log(2)),
    ),
    "probs": (lambda t: stable(tfd.OneHotCategorical(probs=tf.nn.softmax(t))).log_prob([[1, 0, 0]]), np.log(P[0])),
}


@pytest.mark.parametrize("name", list(IMPOSSIBLE))
def test_categories_that_never_occur(name):
    value_fn, expected = IMPOSSIBLE[name]
    with tf.GradientTape() as tape:
        tape.watch(LOGITS)
        value = value_fn(LOGITS)
    np.testing.assert_allclose(value, np.broadcast_to(expected, value.shape), rtol=2e-4, atol=1e-6)
    assert np.isfinite(tape.gradient(value, LOGITS)).all()


def test_a_prior_with_an_impossible_category():
    prior = priors.Fixed(tfd.OneHotCategorical(logits=LOGITS[0], dtype=tf.float32))
    np.testing.assert_allclose(prior(np.eye(3, dtype="float32")), [*np.log(P), -INF], rtol=1e-6)
    assert type(prior.distribution()).__mro__[1] is tfd.OneHotCategorical


# ---- Draws inside the support

NUM_DRAWS = 20_000
ROUNDED = {
    "relaxed Bernoulli": (lambda a, b: tfd.RelaxedBernoulli(0.1, logits=a), (3.0, None), (0.0, None)),
    "of other temperature": (lambda a, b: tfd.RelaxedBernoulli(b, logits=a), (1.0, 0.1), (0.0, 0.2)),
    "relaxed one-hot": (
        lambda a, b: tfd.RelaxedOneHotCategorical(0.05, logits=tf.stack([a, 0.0, b])),
        (1.0, -1.0),
        (0.0, 0.0),
    ),
    "beta": (tfd.Beta, (0.05, 0.05), (0.06, 0.04)),
    "Kumaraswamy": (tfd.Kumaraswamy, (0.05, 0.05), (0.06, 0.04)),
    "steep Kumaraswamy": (tfd.Kumaraswamy, (12.0, 0.08), (5.0, 0.1)),
    "Dirichlet": (lambda a, b: tfd.Dirichlet(tf.stack([a, 0.1, b])), (0.05, 0.05), (0.06, 0.07)),
    "logit-normal": (tfd.LogitNormal, (3.0, 8.0), (0.0, 10.0)),
}


@pytest.mark.parametrize("name", list(ROUNDED))
def test_importance_weights_of_draws_that_round(name):
    make, *parameters = ROUNDED[name]
    q, p = (stable(make(*(None if v is None else tf.constant(v) for v in values))) for values in parameters)
    z, log_q = q.experimental_sample_and_log_prob(NUM_DRAWS, seed=(1, 2))
    low, high = np.finfo(np.float32).tiny, np.nextafter(np.float32(1), np.float32(0))
    assert np.isin(z, [low, high]).any()
    assert np.min(z) >= low
    assert np.max(z) <= high or q.event_shape.rank
    copy = tf.identity(z)  # which no cache knows
    np.testing.assert_array_equal(log_q, q.log_prob(copy))
    weights = np.exp(np.float64(p.log_prob(copy) - log_q))
    assert np.isfinite(weights).all()
    assert abs(weights.mean() - 1) < 5 * weights.std() / NUM_DRAWS**0.5


@pytest.mark.parametrize("name", ["relaxed Bernoulli", "beta", "Kumaraswamy", "Dirichlet"])
def test_pathwise_gradients_of_draws_that_round(name):
    make, (a, b), _ = ROUNDED[name]
    parameters = [tf.constant(v) for v in (a, b) if v is not None]
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        z, log_q = stable(make(*parameters, *[None] * (2 - len(parameters)))).experimental_sample_and_log_prob(
            NUM_DRAWS, seed=(3, 4)
        )
        value = tf.reduce_mean(log_q) + tf.reduce_mean(z)
    assert np.isfinite(tape.gradient(value, parameters)).all()


def test_joint_distributions_and_functions():
    joint = tfd.JointDistributionNamed({"a": tfd.Beta(0.05, 0.05), "b": lambda a: tfd.Normal(a, 1.0)})
    assert np.isfinite(stable(joint).experimental_sample_and_log_prob(NUM_DRAWS, seed=(1, 2))[1]).all()
    normal = tfd.Independent(tfd.Normal(tf.zeros(3), 1.0), 1)
    assert stable(normal) is normal


def test_a_regulariser_s_prior_scores_draws_as_the_posterior_does():
    prior = tfd.Independent(tfd.RelaxedBernoulli(0.1, logits=tf.zeros(2)), 1)
    regularizer = layers.KLDivergenceRegularizer(
        prior, use_exact_kl=False, test_points_fn=lambda q: q.sample(500, seed=1)
    )
    layer = layers.GenericDistribution(tfd.RelaxedBernoulli, (2,), fixed={"temperature": 0.1})
    # Of equal distributions every term of the estimate is zero.
    np.testing.assert_allclose(regularizer(layer(tf.zeros([1, 2]))), 0.0, atol=1e-4)


def vae_that_ignores_z(posterior, prior):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.layers.Dense(6), posterior])
    decoder = keras.Sequential([keras.layers.Dense(4), layers.IndependentBernoulli((4,))])
    vae = tfvae.models.VAE(encoder, decoder, prior)
    vae.build((None, 4))
    decoder.layers[0].kernel.assign(tf.zeros_like(decoder.layers[0].kernel))
    return vae


X = np.float32([[0, 1, 1, 0], [1, 1, 0, 1]])


def test_log_marginal_with_a_relaxed_posterior():
    relaxed = layers.DistributionLambda(lambda t: tfd.Independent(tfd.RelaxedBernoulli(0.1, logits=t), 1))
    prior = tfd.Independent(tfd.RelaxedBernoulli(0.1, logits=tf.zeros(6)), 1)
    vae = vae_that_ignores_z(relaxed, prior)
    found = evaluation.log_marginal(vae, X, num_importance_samples=5000)
    error = np.sqrt(found.monte_carlo_variance)
    assert np.all(np.abs(found.per_example - 4 * np.log(0.5)) < 5 * error)
    vae.compile("adam", run_eagerly=True)
    assert np.isfinite(vae.fit(np.tile(X, (50, 1)), verbose=0).history["loss"]).all()


def test_an_end_of_the_support_is_named():
    def squashed(t):
        return tfd.Independent(tfd.TransformedDistribution(tfd.Normal(t, 30.0), tfp.bijectors.Sigmoid()), 1)

    vae = vae_that_ignores_z(layers.DistributionLambda(squashed), tfd.Independent(tfd.Beta(tf.fill([6], 0.5), 0.5), 1))
    with pytest.raises(
        evaluation.NotFiniteError, match=r"draws from q\(z\|x\), a TransformedDistribution, .* to 0 or 1"
    ):
        evaluation.log_marginal(vae, X, num_importance_samples=500)

"""Draws of weight zero, from where p(z) or p(x|z) is zero: they have no say, and nothing becomes NaN by them."""

import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

from tfvae.estimators import (
    CIWAE,
    MIWAE,
    PIWAE,
    SGVB,
    VIMCO,
    DReG,
    ImportanceWeighted,
    Problem,
    Renyi,
    ReweightedWakeSleep,
    ScoreFunction,
    StickingTheLanding,
    WakeSleep,
)
from tfvae.estimators.vimco import _log_sum_of_others

tfd = tfp.distributions
B, D = 6, 2
X = tf.constant(np.random.default_rng(0).normal(size=(B, D)))

WEIGHTED = [
    ImportanceWeighted(5, num_samples=2),
    ImportanceWeighted(5, num_samples=2, chunk_size=3),
    DReG(5, num_samples=2),
    DReG(5, num_samples=2, chunk_size=3),
    MIWAE(2, 5),
    PIWAE(2, 5),
    PIWAE(2, 5, chunk_size=3),
    Renyi(0.4, 5),
    Renyi(-math.inf, 5),
    VIMCO(5),
    VIMCO(5, chunk_size=3),
    ReweightedWakeSleep(5),
    ReweightedWakeSleep(5, chunk_size=3),
]
NOT_IN_CHUNKS = [estimator for estimator in WEIGHTED if "chunk" not in repr(estimator)]
# In chunks, by a path alone, by two kinds of weights, by the largest weight, by a score, and by the decoder's weights.
ONE_OF_EACH_KIND = [WEIGHTED[number] for number in (1, 2, 5, 8, 9, 11)]


class HalfImpossible(tfd.MultivariateNormalDiag):
    """A normal distribution whose density is `floor`, in logarithms, where the first number of its loc is above 0.8."""

    floor = -math.inf

    def log_prob(self, value, name="log_prob", **kwargs):
        log_prob = super().log_prob(value)
        return tf.where(self.loc[..., 0] > 0.8, tf.constant(self.floor, log_prob.dtype), log_prob)


class AlmostImpossible(HalfImpossible):
    floor = -3000.0  # exp of it is zero in float64


def estimate_and_gradients(estimator, likelihood, *, beta=0.7, x=X):
    loc, raw_scale, gain = 0.3 * X, tf.constant([0.1, -0.2], tf.float64), tf.Variable(0.9, dtype=tf.float64)
    with tf.GradientTape() as tape:
        tape.watch([loc, raw_scale])
        posterior = tfd.MultivariateNormalDiag(loc, tf.nn.softplus(raw_scale))
        prior = tfd.MultivariateNormalDiag(tf.zeros(D, tf.float64))
        problem = Problem(x, posterior, prior, lambda z: likelihood(gain * z, [0.5, 0.6]))
        estimate = estimator(problem, beta=beta, seed=4)
    return *estimate[:2], *tape.gradient(estimate.surrogate_loss, [loc, raw_scale, gain])


@pytest.mark.parametrize("estimator", slow_except(WEIGHTED, *ONE_OF_EACH_KIND), ids=repr)
def test_a_weight_of_zero_is_the_limit_of_small_ones(estimator):
    impossible, almost = (estimate_and_gradients(estimator, cls) for cls in (HalfImpossible, AlmostImpossible))
    for ours, theirs in zip(impossible, almost, strict=True):
        assert np.all(np.isfinite(ours))
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)
    possible = estimate_and_gradients(estimator, tfd.MultivariateNormalDiag)
    assert np.all(impossible[1] <= possible[1])
    assert np.any(impossible[1] < possible[1])


@pytest.mark.parametrize("estimator", [VIMCO(2), VIMCO(3), ReweightedWakeSleep(3)], ids=repr)
def test_a_discrete_state_that_is_impossible(estimator):
    """Also where one draw alone is possible, and where p(x|z) has an end that depends on z."""
    logits = tf.constant(np.random.default_rng(1).normal(size=(40, 3)))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        posterior = tfd.OneHotCategorical(logits, dtype=tf.float64)
        prior = tfd.OneHotCategorical(logits=tf.zeros(3, tf.float64), dtype=tf.float64)
        ends = tf.constant([-2.0, -1.0, 0.5], tf.float64)  # the third leaves out x = 0

        def below(z):
            low = tf.linalg.matvec(z, ends)[..., tf.newaxis]
            return tfd.Independent(tfd.Uniform(low, low + 9.0), 1)

        estimate = estimator(Problem(tf.zeros([40, 1], tf.float64), posterior, prior, below), seed=2)
    gradient = tape.gradient(estimate.surrogate_loss, logits).numpy()
    some = np.isfinite(estimate.bound)
    assert 20 < some.sum() < 40  # of the others all draws are impossible
    assert np.all(np.isfinite(gradient[some]))


def test_the_baseline_of_the_one_draw_that_is_possible_is_zero():
    log_weights = tf.constant([[-3.0, -3.0], [-math.inf, -4.0], [-math.inf, -math.inf]], tf.float64)
    baselines = VIMCO(3)._without_each(log_weights).numpy()
    # Of the first example: without draw 0 nothing is left. Of the others, the geometric mean of the rest is zero.
    np.testing.assert_allclose(baselines[:, 0], [0.0, -3.0 - np.log(3), -3.0 - np.log(3)])
    both = np.log(np.exp(-3.0) + np.exp(-4.0) + np.exp(-3.5)) - np.log(3)
    np.testing.assert_allclose(baselines[:, 1], [-4.0 - np.log(3), -3.0 - np.log(3), both])


def test_the_sum_of_the_other_weights_to_full_precision():
    rng = np.random.default_rng(3)
    log_weights = rng.normal(scale=30.0, size=(50, 8)) - 500.0
    log_weights[3, :4] = 0.0  # one that outweighs the others by far
    expected = [np.logaddexp.reduce(np.delete(log_weights, k, axis=0), axis=0) for k in range(50)]
    np.testing.assert_allclose(_log_sum_of_others(tf.constant(log_weights)), expected, rtol=1e-13, atol=1e-13)
    single = _log_sum_of_others(tf.constant(log_weights, tf.float32))
    np.testing.assert_allclose(single, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "estimator",
    [
        SGVB(2, kl="monte_carlo"),
        StickingTheLanding(2),
        ScoreFunction(2, kl="monte_carlo"),
        WakeSleep(2),
        CIWAE(3),
        *NOT_IN_CHUNKS,
    ],
    ids=repr,
)
def test_a_prior_without_weight_may_be_zero(estimator):
    """beta = 0 with z outside the prior's support, as at the start of a warm-up: (p(z) / q(z|x))^0 is one."""
    loc = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(loc)
        posterior = tfd.MultivariateNormalDiag(loc, tf.ones(D, tf.float64))
        prior = tfd.Independent(tfd.Uniform(tf.fill([D], tf.constant(-0.5, tf.float64)), 0.5), 1)
        problem = Problem(X, posterior, prior, lambda z: tfd.MultivariateNormalDiag(z), infer=lambda x: posterior)
        estimate = estimator(problem, beta=0.0, seed=1)
    if not isinstance(estimator, SGVB):  # whose KL is infinite whatever its weight
        assert np.all(np.isfinite(estimate.surrogate_loss))
        assert np.all(np.isfinite(tape.gradient(estimate.surrogate_loss, loc)))

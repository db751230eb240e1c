"""Estimators of discrete latents, whose expected gradients are sums over all states."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.estimators import SGVB, VIMCO, Problem, ReweightedWakeSleep, RunningMean, ScoreFunction, WakeSleep

tfd = tfp.distributions
A, B = "monte_carlo", "analytic"
DATA_SIZE, TIMES = 2, 4000
X = np.array([1.0, 0.0])
EVERY_X = np.array(list(itertools.product([0.0, 1.0], repeat=DATA_SIZE)))


class OneForEach:
    """Makes a prior with a batch of parameters, all equal, behave as one: `sample(n)` has one draw of each member."""

    def sample(self, sample_shape=(), seed=None, name="sample", **kwargs):
        return super().sample((), seed=seed, name=name, **kwargs)


class OneHotForEach(OneForEach, tfd.OneHotCategorical):
    pass


class BitsForEach(OneForEach, tfd.Independent):
    pass


class OneHot:
    """One of three states."""

    size = 3
    states = np.eye(3)

    def distribution(self, logits, for_each=False):
        return (OneHotForEach if for_each else tfd.OneHotCategorical)(logits, dtype=tf.float64)


class Bits:
    """Three independent bits: eight states."""

    size = 3
    states = np.array(list(itertools.product([0.0, 1.0], repeat=3)))

    def distribution(self, logits, for_each=False):
        return (BitsForEach if for_each else tfd.Independent)(tfd.Bernoulli(logits, dtype=tf.float64), 1)


FAMILIES = [OneHot(), Bits()]
PARAMETERS = ("encoder", "encoder_bias", "decoder", "decoder_bias", "prior")


def parameters(family):
    rng = np.random.default_rng(family.states.shape[0])
    shapes = [[family.size, DATA_SIZE], [family.size], [DATA_SIZE, family.size], [DATA_SIZE], [family.size]]
    return {name: rng.normal(size=shape) for name, shape in zip(PARAMETERS, shapes, strict=True)}


def parts(family, values, for_each=False):
    """infer, prior and generate, of parameters with or without a batch axis."""

    def infer(x):
        logits = tf.reduce_sum(values["encoder"] * x[..., tf.newaxis, :], axis=-1) + values["encoder_bias"]
        return family.distribution(logits)

    def generate(z):
        mean = tf.reduce_sum(values["decoder"] * z[..., tf.newaxis, :], axis=-1) + values["decoder_bias"]
        return tfd.Independent(tfd.Bernoulli(logits=2.0 * tf.tanh(mean), dtype=tf.float64), 1)

    return infer, family.distribution(values["prior"], for_each), generate


def sampled(estimator, family, *, beta, seed, times=TIMES):
    """Gradients of `-surrogate_loss`, [times, *shape] for each parameter, of as many independent estimates."""
    tiled = {
        name: tf.constant(np.broadcast_to(value, (times, *value.shape))) for name, value in parameters(family).items()
    }
    x = tf.constant(np.tile(X, (times, 1)))
    with tf.GradientTape() as tape:
        tape.watch(tiled)
        infer, prior, generate = parts(family, tiled, for_each=True)
        estimate = estimator(Problem(x, infer(x), prior, generate, infer), beta=beta, seed=seed)
        loss = estimate.surrogate_loss
    gradients = tape.gradient(loss, tiled, unconnected_gradients="zero")
    return {name: -gradient.numpy() for name, gradient in gradients.items()}, estimate


def by_enumeration(family, objective, *args):
    """The gradients of `objective(log_q, log_prior, log_likelihood, infer, ...)`, the first three `[states]`."""
    values = {name: tf.constant(value) for name, value in parameters(family).items()}
    z = tf.constant(family.states)
    with tf.GradientTape() as tape:
        tape.watch(values)
        infer, prior, generate = parts(family, values)
        log_q = infer(tf.constant(X)).log_prob(z)
        value = objective(log_q, prior.log_prob(z), generate(z).log_prob(X), *args)
    return value, tape.gradient(value, values, unconnected_gradients="zero")


def elbo(log_q, log_prior, log_likelihood, beta):
    return tf.reduce_sum(tf.exp(log_q) * (log_likelihood + beta * (log_prior - log_q)))


def over_tuples(log_q, *terms, k):
    """The probability of every K-tuple of states `[states^K]`, and the terms of its members `[K, states^K]`."""
    index = np.array(list(itertools.product(range(log_q.shape[0]), repeat=k))).T
    return tf.exp(tf.reduce_sum(tf.gather(log_q, index), axis=0)), *(tf.gather(term, index) for term in terms)


def log_mean_exp(log_w):
    return tf.reduce_logsumexp(log_w, axis=0) - math.log(log_w.shape[0])


def weighted_bound(log_q, log_prior, log_likelihood, beta, k):
    """E[log (1/K) sum_k w_k] over K draws."""
    mass, log_w = over_tuples(log_q, log_likelihood + beta * (log_prior - log_q), k=k)
    return tf.reduce_sum(mass * log_mean_exp(log_w))


def wake(log_q, log_prior, log_likelihood, beta, k):
    """What reweighted wake-sleep climbs on data, the draws, and q in the weights, counting as data."""
    still = tf.stop_gradient(log_q)
    mass, log_w, log_q = over_tuples(still, log_likelihood + beta * (log_prior - still), log_q, k=k)
    share = tf.stop_gradient(tf.nn.softmax(log_w, axis=0))
    return tf.reduce_sum(mass * (log_mean_exp(log_w) + tf.reduce_sum(share * log_q, axis=0)))


def asleep(family):
    """The gradient of the encoder on dreams: E over p(z) p(x|z) of log q(z|x)."""
    values = {name: tf.constant(value) for name, value in parameters(family).items()}
    z = tf.constant(family.states)[:, tf.newaxis]  # [states, 1, D]
    with tf.GradientTape() as tape:
        tape.watch(values)
        infer, prior, generate = parts(family, values)
        mass = tf.exp(prior.log_prob(z) + generate(z).log_prob(EVERY_X))  # [states, x]
        np.testing.assert_allclose(tf.reduce_sum(mass), 1.0, rtol=1e-12)
        value = tf.reduce_sum(tf.stop_gradient(mass) * infer(tf.constant(EVERY_X)).log_prob(z))
    return tape.gradient(value, values, unconnected_gradients="zero")


def check_means(samples, expected, label, names=PARAMETERS):
    for name in names:
        values = samples[name]
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        off = np.abs(values.mean(axis=0) - expected[name])
        np.testing.assert_array_less(off, 5 * error + 1e-9, err_msg=f"{label}: {name}")


def check_bound(estimate, expected):
    bound = estimate.bound.numpy()
    assert abs(bound.mean() - expected) < 5 * bound.std(ddof=1) / np.sqrt(len(bound))


def updated_running_mean():
    baseline = RunningMean(0.5)
    for value in (-2.0, -1.0, -1.5):
        baseline.update(tf.constant([value, value - 1.0]))
    return baseline


# The ELBO ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
@pytest.mark.parametrize(
    ("estimator", "beta"),
    [
        (ScoreFunction(kl=A), 1.0),
        (ScoreFunction(2, kl=A), 0.4),
        (ScoreFunction(kl=B), 0.4),
        (ScoreFunction(kl=A, baseline=updated_running_mean()), 0.4),
        (ScoreFunction(2, baseline=updated_running_mean()), 1.0),
        (ScoreFunction(kl=A, baseline=keras.Sequential([keras.layers.Dense(1)])), 1.0),
        (ScoreFunction(2, baseline=keras.Sequential([keras.layers.Dense(1)])), 0.4),
    ],
    ids=repr,
)
def test_score_function(family, estimator, beta):
    samples, estimate = sampled(estimator, family, beta=beta, seed=1)
    _, expected = by_enumeration(family, elbo, beta)
    check_means(samples, expected, repr(estimator))
    check_bound(estimate, by_enumeration(family, elbo, 1.0)[0])


def test_baselines_take_variance_away():
    spread = {}
    for baseline in (None, updated_running_mean()):
        samples, _ = sampled(ScoreFunction(kl=A, baseline=baseline), FAMILIES[1], beta=1.0, seed=2)
        squares = np.sum((samples["encoder_bias"] - samples["encoder_bias"].mean(axis=0)) ** 2, axis=1)
        spread[baseline is None] = squares.mean(), squares.std(ddof=1) / np.sqrt(TIMES)
    assert spread[False][0] + 5 * spread[False][1] < spread[True][0] - 5 * spread[True][1]


def test_running_mean_by_hand():
    baseline = RunningMean(0.8)
    np.testing.assert_array_equal(baseline(tf.zeros([3, 2])), [0.0, 0.0, 0.0])
    means = [-4.0, -1.0, -2.5]
    for mean in means:
        baseline.update(tf.constant([mean - 1.0, mean + 1.0], tf.float64))
    weights = 0.8 ** np.array([2, 1, 0])
    np.testing.assert_allclose(baseline(tf.zeros([2, 5])), [np.sum(weights * means) / np.sum(weights)] * 2, rtol=1e-6)


@pytest.mark.parametrize("kl", [A, B])
def test_running_mean_sees_the_learning_signal(kl):
    """Its mean after one step is that of the signal, which E q[f] is by enumeration."""
    family, baseline = FAMILIES[0], RunningMean()
    estimator = ScoreFunction(kl=kl, baseline=baseline)
    _, estimate = sampled(estimator, family, beta=0.4, seed=3)
    estimator.update(estimate, beta=0.4)
    signal = estimate.log_likelihood - 0.4 * estimate.kl
    np.testing.assert_allclose(baseline(tf.zeros([1, 2])), [np.mean(signal)], rtol=1e-5)
    expected, _ = by_enumeration(family, elbo, 0.4)
    assert abs(np.mean(signal) - expected) < 5 * np.std(signal, ddof=1) / np.sqrt(TIMES)


@pytest.mark.parametrize("kl", [A, B])
def test_learned_baseline_learns_the_learning_signal(kl):
    """The gradient of its squared error, -2 E[f - b] db, against the enumerated E[f], within the error of the mean."""
    family, beta = FAMILIES[1], 0.4
    dense = keras.layers.Dense(1, bias_initializer=keras.initializers.Constant(-0.7), kernel_initializer="zeros")
    dense.build((None, DATA_SIZE))
    estimator = ScoreFunction(kl=kl, baseline=dense)
    with tf.GradientTape() as tape:
        tape.watch([weight.value for weight in dense.weights])
        _, estimate = sampled(estimator, family, beta=beta, seed=4)
        loss = tf.reduce_mean(estimate.surrogate_loss)
    kernel, bias = tape.gradient(loss, [weight.value for weight in dense.weights])
    signal = (estimate.log_likelihood - beta * estimate.kl).numpy()
    expected, _ = by_enumeration(family, elbo, beta)
    error = 5 * 2 * signal.std(ddof=1) / np.sqrt(TIMES)
    assert abs(float(bias[0]) - -2 * (float(expected) + 0.7)) < error
    np.testing.assert_allclose(kernel[:, 0], X * bias[0], rtol=1e-5)


# Importance weights ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
@pytest.mark.parametrize(("k", "beta"), [(2, 1.0), (3, 0.4)])
def test_vimco(family, k, beta):
    samples, estimate = sampled(VIMCO(k), family, beta=beta, seed=5)
    _, expected = by_enumeration(family, weighted_bound, beta, k)
    check_means(samples, expected, f"VIMCO({k})")
    check_bound(estimate, by_enumeration(family, weighted_bound, 1.0, k)[0])


def test_vimco_has_less_variance_than_the_plain_score():
    """Against the bound's own gradient by scores, without a baseline, of the same number of draws."""
    family, k = FAMILIES[1], 3
    samples, _ = sampled(VIMCO(k), family, beta=1.0, seed=6)

    class Plain(VIMCO):
        def _without_each(self, log_weights):
            return tf.zeros_like(log_weights)

    plain, _ = sampled(Plain(k), family, beta=1.0, seed=6)
    _, expected = by_enumeration(family, weighted_bound, 1.0, k)
    check_means(plain, expected, "no baseline")
    spread = [values["encoder_bias"].var(axis=0, ddof=1).sum() for values in (samples, plain)]
    # Either variance is known to about 1 / sqrt(2000).
    assert spread[0] * (1 + 5 / math.sqrt(2000)) < spread[1] * (1 - 5 / math.sqrt(2000))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
@pytest.mark.parametrize(
    ("k", "phase", "beta"), [(2, "wake", 0.4), (3, "wake", 1.0), (2, "sleep", 1.0), (2, "both", 1.0)]
)
def test_reweighted_wake_sleep(family, k, phase, beta):
    samples, estimate = sampled(ReweightedWakeSleep(k, phase), family, beta=beta, seed=7)
    _, expected = by_enumeration(family, wake, beta, k)
    dreams = asleep(family)
    for name in ("encoder", "encoder_bias"):
        expected[name] = {"wake": expected[name], "sleep": dreams[name], "both": expected[name] + dreams[name]}[phase]
    check_means(samples, expected, phase)
    check_bound(estimate, by_enumeration(family, weighted_bound, 1.0, k)[0])


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
@pytest.mark.parametrize(("num_samples", "beta"), [(1, 1.0), (3, 0.4)])
def test_wake_sleep(family, num_samples, beta):
    samples, estimate = sampled(WakeSleep(num_samples), family, beta=beta, seed=8)

    def awake(log_q, log_prior, log_likelihood):
        return tf.reduce_sum(tf.stop_gradient(tf.exp(log_q)) * (log_likelihood + beta * log_prior))

    _, expected = by_enumeration(family, awake)
    dreams = asleep(family)
    check_means(samples, {**expected, "encoder": dreams["encoder"], "encoder_bias": dreams["encoder_bias"]}, "sleep")
    check_bound(estimate, by_enumeration(family, elbo, 1.0)[0])


def test_exact_posterior_makes_every_bound_log_marginal():
    """q = p(z|x) by Bayes' rule over the states."""
    family = FAMILIES[0]
    infer, prior, generate = parts(family, {name: tf.constant(value) for name, value in parameters(family).items()})
    z, x = tf.constant(family.states), tf.constant(np.tile(X, (5, 1)))
    log_joint = prior.log_prob(z) + generate(z).log_prob(X)
    posterior = family.distribution(tf.broadcast_to(log_joint, [5, 3]))
    for estimator in (ScoreFunction(2, kl=A), VIMCO(4), ReweightedWakeSleep(3), WakeSleep(2)):
        estimate = estimator(Problem(x, posterior, prior, generate, infer), beta=0.4, seed=1)
        np.testing.assert_allclose(estimate.bound, [tf.reduce_logsumexp(log_joint)] * 5, rtol=1e-12)


def test_a_discrete_and_a_continuous_part():
    """z = (a state, a number): sums over the states, closed forms of the number, each within five errors."""
    times, rng = TIMES, np.random.default_rng(0)
    logits, loc = rng.normal(size=3), 0.3
    centres = np.array([-1.0, 0.5, 1.4])
    x = tf.constant(np.full([times, 1], 0.8))
    tiled = tf.constant(np.tile(logits, (times, 1))), tf.constant(np.full([times, 1], loc))
    prior = tfd.JointDistributionSequential(
        [
            tfd.OneHotCategorical(tf.zeros(3, tf.float64), dtype=tf.float64),
            tfd.MultivariateNormalDiag(np.zeros(1), np.ones(1)),
        ]
    )

    def generate(z):
        mean = tf.reduce_sum(z[0] * centres, axis=-1, keepdims=True) + 0.5 * z[1]
        return tfd.MultivariateNormalDiag(mean, 0.6 * tf.ones_like(mean))

    def exact(logits, loc):
        """The ELBO: E_q[log p(x|z)] is quadratic in the number."""
        log_q = tf.nn.log_softmax(logits)
        squares = (0.8 - centres - 0.5 * loc) ** 2 + 0.25 * 0.7**2
        log_likelihood = -0.5 * (squares / 0.36 + math.log(2 * math.pi * 0.36))
        kl = 0.5 * (0.49 + loc[0] ** 2 - 1 - math.log(0.49))
        return tf.reduce_sum(tf.exp(log_q) * (log_likelihood - math.log(3.0) - log_q)) - kl

    sources = tf.constant(logits), tf.constant([loc], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(sources)
        value = exact(*sources)
    expected = tape.gradient(value, sources)
    with tf.GradientTape() as tape:
        tape.watch(tiled)
        posterior = tfd.JointDistributionSequential(
            [
                tfd.OneHotCategorical(tiled[0], dtype=tf.float64),
                tfd.MultivariateNormalDiag(tiled[1], 0.7 * tf.ones_like(tiled[1])),
            ]
        )
        estimate = ScoreFunction(2, kl=A)(Problem(x, posterior, prior, generate), seed=9)
    check_bound(estimate, value)
    for gradient, theirs in zip(tape.gradient(estimate.surrogate_loss, tiled), expected, strict=True):
        error = np.std(gradient, axis=0, ddof=1) / np.sqrt(times)
        np.testing.assert_array_less(np.abs(-np.mean(gradient, axis=0) - theirs), 5 * error)
    with pytest.raises(ValueError, match="ScoreFunction"):
        SGVB()(Problem(x, posterior, prior, generate))

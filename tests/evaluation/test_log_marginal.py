"""Importance sampling of log p(x): reproducible under any cut of the work, and honest about its own quality."""

import json
import warnings

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp
from linear_gaussian import make_linear_gaussian

import tfvae
from tfvae import evaluation, layers
from tfvae.estimators import Problem, averaged_elbo, importance_estimate
from tfvae.estimators.monte_carlo import BLOCK_SIZE
from tfvae.evaluation._pareto import generalized_pareto_shape, pareto_k, pareto_k_threshold, tail_size

tfd = tfp.distributions

X, D, H, N = 7, 3, 5, 11
DATA = (np.random.default_rng(0).uniform(size=(N, X)) < 0.4).astype("float32")
K = 700


@pytest.fixture(scope="module")
def vae():
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential(
        [
            keras.layers.Dense(H, activation="tanh"),
            keras.layers.Dropout(0.5),  # training only
            keras.layers.Dense(layers.MultivariateNormalDiag.params_size(D)),
            layers.MultivariateNormalDiag(D),
        ]
    )
    decoder = keras.Sequential(
        [keras.layers.Dense(H, activation="tanh"), keras.layers.Dense(X), layers.IndependentBernoulli(X)]
    )
    vae = tfvae.models.VAE(encoder, decoder)
    vae(DATA)
    rng = np.random.default_rng(2)
    for weight in vae.trainable_variables:
        weight.assign_add(0.6 * rng.normal(size=weight.shape))
    parameters = vae.encoder.layers[2]  # q(z|x) near the prior and a little wider: weights have light tails
    parameters.kernel.assign(0.2 * parameters.kernel)
    parameters.bias.assign(np.concatenate([0.2 * parameters.bias[:D], np.full(D, 0.8)]))
    return vae


@pytest.fixture(scope="module")
def reference(vae):
    return evaluation.log_marginal(vae, DATA, num_importance_samples=K, seed=3)


@pytest.mark.parametrize(("batch_size", "chunk_size"), [(1, 1000), (4, 1), (N, 333), (100, 10**6)])
def test_same_numbers_whatever_batch_and_chunk_size(vae, reference, batch_size, chunk_size):
    record = evaluation.log_marginal(
        vae, DATA, num_importance_samples=K, batch_size=batch_size, chunk_size=chunk_size, seed=3
    )
    np.testing.assert_allclose(record.per_example, reference.per_example, rtol=2e-6)
    for name, values in record.details.items():
        np.testing.assert_allclose(values, reference.details[name], rtol=1e-3, atol=1e-3)


def test_same_numbers_with_several_blocks_of_draws(vae):
    k = BLOCK_SIZE + 300
    records = [
        evaluation.log_marginal(vae, DATA[:3], num_importance_samples=k, batch_size=b, chunk_size=c)
        for b, c in ((3, 1000), (2, 1700))
    ]
    np.testing.assert_allclose(records[0].per_example, records[1].per_example, rtol=2e-6)
    assert records[0].diagnostics["num_importance_samples"] == k


def test_a_data_set_in_batches_of_any_size_gives_the_same_numbers(vae, reference):
    data = tf.data.Dataset.from_tensor_slices(DATA).batch(3)
    record = evaluation.log_marginal(vae, data, num_importance_samples=K, seed=3)
    np.testing.assert_allclose(record.per_example, reference.per_example, rtol=2e-6)


def test_draws_differ_between_examples_and_between_seeds(vae, reference):
    record = evaluation.log_marginal(vae, np.repeat(DATA[:1], 4, axis=0), num_importance_samples=K, seed=3)
    assert len(set(record.per_example)) == 4
    np.testing.assert_allclose(record.per_example[0], reference.per_example[0], rtol=2e-6)
    other = evaluation.log_marginal(vae, DATA, num_importance_samples=K, seed=4)
    assert np.all(other.per_example != reference.per_example)


def test_against_plain_tensorflow_probability(vae, reference):
    """The same weights, none of tfvae's functions, other random numbers."""
    weights = [w.numpy() for w in vae.trainable_variables]

    def network(x, kernel, bias, last_kernel, last_bias):
        return np.tanh(x @ kernel + bias) @ last_kernel + last_bias

    loc, raw_scale = np.split(network(DATA, *weights[:4]), 2, axis=-1)
    q = tfd.MultivariateNormalDiag(loc, np.log1p(np.exp(raw_scale)) + 1e-5)
    k = 20_000
    z = q.sample(k, seed=tf.constant([5, 6])).numpy()
    log_p = tfd.MultivariateNormalDiag(tf.zeros(D), tf.ones(D)).log_prob(z)
    likelihood = tfd.Independent(tfd.Bernoulli(network(z, *weights[4:])), 1)
    log_w = (likelihood.log_prob(DATA) + log_p - q.log_prob(z)).numpy().astype("float64")
    expected = scipy.special.logsumexp(log_w, axis=0) - np.log(k)
    w = np.exp(log_w - log_w.max(axis=0))
    variance = w.var(axis=0, ddof=1) / k / w.mean(axis=0) ** 2
    error = np.sqrt(variance + reference.monte_carlo_variance)
    np.testing.assert_array_less(np.abs(reference.per_example - expected), 5 * error)
    assert abs(reference.mean - expected.mean()) < 5 * np.sqrt(np.sum(error**2)) / N
    assert np.all(error < 0.2)


@pytest.mark.slow
def test_latents_in_parts():
    """Two linear-Gaussian models side by side: with the exact posterior every weight is the product of the two."""
    models = [make_linear_gaussian(2, 4, seed=1), make_linear_gaussian(3, 2, sigma=0.4, seed=2)]
    data = [model.data(5, seed=i) for i, model in enumerate(models)]
    x = tf.constant(np.concatenate(data, axis=1))

    def exact(model, x):
        mean = tf.linalg.matvec(tf.constant(model.posterior_weights), x - tf.constant(model.bias))
        return tfd.MultivariateNormalTriL(mean, tf.constant(np.linalg.cholesky(model.posterior_covariance)))

    def infer(x):
        return tfd.JointDistributionSequential([exact(models[0], x[:, :4]), exact(models[1], x[:, 4:])])

    def generate(z):
        return tfd.Blockwise([model.generate(part) for model, part in zip(models, z, strict=True)])

    prior = tfd.JointDistributionSequential([model.prior() for model in models])
    problem_of = lambda x: Problem(x, infer(x), prior, generate)  # noqa: E731

    @tf.function(autograph=False)
    def estimated():
        return importance_estimate(x, problem_of, num_importance_samples=23, chunk_size=10, seed=0)

    estimate = estimated()
    expected = sum(model.log_marginal(part) for model, part in zip(models, data, strict=True))
    np.testing.assert_allclose(estimate.log_marginal, expected, rtol=1e-9)
    np.testing.assert_allclose(estimate.effective_sample_size, 23.0, rtol=1e-9)
    assert estimate.largest.shape == (5, 0)
    problem = problem_of(x)

    @tf.function(autograph=False)
    def average_of_draws():
        return averaged_elbo(problem, num_samples=400, seed=0)

    average = average_of_draws()
    error = np.sqrt(average.variance)
    assert np.all(error > 0.0)
    np.testing.assert_array_less(np.abs(average.bound - expected), 5 * error)


def test_largest_weights_are_returned_in_order():
    model = make_linear_gaussian()
    x = model.data(4)

    def problem_of(x):
        wide = tfd.MultivariateNormalDiag(model.posterior_mean(x), np.array([1.0, 0.8, 1.2]))
        return Problem(x, wide, model.prior(), model.generate)

    arguments = {"num_importance_samples": 30, "seed": 1, "chunk_size": 7}
    estimate = importance_estimate(tf.constant(x), problem_of, num_largest=30, **arguments)
    assert np.all(np.diff(estimate.largest) <= 0)
    expected = scipy.special.logsumexp(estimate.largest, axis=1) - np.log(30)
    np.testing.assert_allclose(estimate.log_marginal, expected, rtol=1e-12)
    w = np.exp(estimate.largest.numpy())
    np.testing.assert_allclose(estimate.effective_sample_size, w.sum(1) ** 2 / (w**2).sum(1), rtol=1e-9)


# The shape of the tail ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [-0.3, 0.2, 0.6, 1.3])
def test_shape_of_generalised_pareto_draws(shape):
    n, repeats = 1000, 200
    draws = scipy.stats.genpareto(shape, scale=2.5).rvs((repeats, n), random_state=np.random.default_rng(1))
    fitted = generalized_pareto_shape(np.sort(draws, axis=1))
    spread = fitted.std(ddof=1)
    bias = 10 / n  # the estimator's own, of the order 1/n
    assert abs(fitted.mean() - shape) < 5 * spread / np.sqrt(repeats) + bias
    assert spread < 1.3 * (1 + shape) / np.sqrt(n)  # the asymptotic error of maximum likelihood


@pytest.mark.parametrize("log_offset", [0.0, -90.0, 4000.0])
def test_heavy_and_light_tails_of_log_weights(log_offset):
    """Weights with density ~ w^(-1/k - 1) have the shape k; log-normal weights of small spread are light."""
    rng, k = np.random.default_rng(2), 5000
    m = tail_size(k)
    heavy = 1.1 * rng.exponential(size=(50, k)) + log_offset
    light = 0.2 * rng.normal(size=(50, k)) + log_offset
    shapes = [pareto_k(-np.sort(-log_w.astype("float32"), axis=1)[:, : m + 1]) for log_w in (heavy, light)]
    pulled = (m * 1.1 + 10 * 0.5) / (m + 10)
    assert abs(shapes[0].mean() - pulled) < 5 * shapes[0].std() / np.sqrt(50) + 10 / m
    assert np.all(shapes[1] < 0.5)
    assert np.all(shapes[0] > pareto_k_threshold(k))


def test_tails_that_tell_nothing():
    assert tail_size(20) == 0
    assert np.isnan(pareto_k(np.zeros([2, 5]))).all()
    equal = np.full([3, 9], -90.0) + 1e-6 * np.random.default_rng(0).normal(size=(3, 9))
    assert np.isneginf(pareto_k(-np.sort(-equal, axis=1))).all()
    for gap in (300.0, 3000.0):  # one draw decides
        assert np.isposinf(pareto_k(np.array([[0.0] + [-gap] * 8]))).all()


def test_tail_and_threshold_by_hand():
    assert [tail_size(k) for k in (25, 100, 5000)] == [5, 20, 213]
    assert pareto_k_threshold(100) == pytest.approx(0.5)
    assert pareto_k_threshold(5000) == 0.7


def test_diagnostics(vae, reference):
    effective, shapes = reference.details["effective_sample_size"], reference.details["pareto_k"]
    assert effective.shape == shapes.shape == (N,)
    assert reference.diagnostics["pareto_k_max"] == pytest.approx(shapes.max())
    assert reference.diagnostics["pareto_k_median"] == pytest.approx(np.median(shapes))
    assert reference.diagnostics["num_above_threshold"] == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        few = evaluation.log_marginal(vae, DATA, num_importance_samples=10)
    written = json.loads(json.dumps(few.to_dict(), allow_nan=False))
    assert written["pareto_k_max"] is None
    assert "pareto_k" not in written


@pytest.fixture
def changed(vae):
    """Changes a weight for one test."""
    before = vae.get_weights()
    yield lambda weight, value: weight.assign(np.asarray(value, "float32"))
    vae.set_weights(before)


def test_a_posterior_that_is_too_narrow_warns_once(vae, changed):
    bias = vae.encoder.layers[2].bias
    changed(bias, np.concatenate([bias[:D], np.full(D, -3.0)]))
    with pytest.warns(UserWarning, match=r"for \d+ of 11 examples.*above 0\.6.*log_marginal_ais") as caught:
        record = evaluation.log_marginal(vae, DATA, num_importance_samples=K)
    assert len(caught) == 1
    assert record.diagnostics["num_above_threshold"] > N / 2
    assert record.diagnostics["pareto_k_max"] > 0.7


def test_weights_that_are_not_numbers_are_named(vae, changed):
    bias = vae.decoder.layers[0].bias
    changed(bias, np.where(np.arange(H) == 2, np.nan, bias))
    with pytest.raises(ValueError, match=f"first is example 0, at nan.*{bias.path}.*NaN") as caught:
        evaluation.log_marginal(vae, DATA, num_importance_samples=30)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", ["num_importance_samples", "batch_size", "chunk_size"])
def test_counts_below_one(vae, name):
    with pytest.raises(ValueError, match=f"`{name}` must be .*at least 1"):
        evaluation.log_marginal(vae, DATA, **{name: 0})

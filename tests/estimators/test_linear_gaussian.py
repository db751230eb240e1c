"""The SGVB estimators on a model where everything they estimate is known in closed form."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from linear_gaussian import make_linear_gaussian
from slow import slow_except

import tfvae
from tfvae.estimators import SGVB, Estimate, Problem

tfd = tfp.distributions
MODEL = make_linear_gaussian()
A, B = "monte_carlo", "analytic"


def mismatched(x, dtype=np.float64):
    """A diagonal posterior that is not the true one: loc [B, D] and scale [D]."""
    loc = 0.8 * MODEL.posterior_mean(x) + np.array([0.2, -0.1, 0.3])
    return loc.astype(dtype), np.array([0.3, 0.5, 0.2], dtype)


def diag(loc, scale):
    return tfd.MultivariateNormalDiag(loc, tf.broadcast_to(scale, tf.shape(loc)))


def estimate(x, posterior, kl, num_samples=1, seed=0, beta=1.0, dtype=tf.float64, generate=MODEL.generate):
    estimator = SGVB(num_samples, kl=kl)
    return estimator(Problem(tf.constant(x, dtype), posterior, MODEL.prior(dtype), generate), beta=beta, seed=seed)


# (1) Identities without variance -----------------------------------------------------------------------------------


def test_the_oracle_agrees_with_itself():
    x = MODEL.data(6)
    mean, covariance = MODEL.posterior_mean(x), MODEL.posterior_covariance
    np.testing.assert_allclose(MODEL.elbo(x, mean, covariance), MODEL.log_marginal(x), rtol=1e-12)
    z = np.random.default_rng(1).normal(size=(6, 3))
    bayes = MODEL.prior().log_prob(z) + MODEL.generate(tf.constant(z)).log_prob(x) - MODEL.posterior(x).log_prob(z)
    np.testing.assert_allclose(bayes, MODEL.log_marginal(x), rtol=1e-10)
    joint = tfd.MultivariateNormalFullCovariance(
        MODEL.bias, MODEL.weights @ MODEL.weights.T + MODEL.sigma**2 * np.eye(MODEL.data_size)
    )
    np.testing.assert_allclose(joint.log_prob(x), MODEL.log_marginal(x), rtol=1e-10)


@pytest.mark.parametrize(("num_samples", "seed"), slow_except(itertools.product([1, 7], range(5)), (1, 0), (7, 1)))
def test_exact_posterior_makes_the_bound_log_marginal_whatever_the_seed(seed, num_samples):
    x = MODEL.data(6, seed)
    result = estimate(x, MODEL.posterior(x), A, num_samples, seed)
    np.testing.assert_allclose(result.bound, MODEL.log_marginal(x), rtol=1e-10)


@pytest.mark.parametrize("seed", slow_except(range(5), 0))
def test_exact_posterior_in_float32(seed):
    x = MODEL.data(6, seed)
    result = estimate(x, MODEL.posterior(x, tf.float32), A, 1, seed, dtype=tf.float32)
    assert result.bound.dtype == tf.float32
    # Terms of up to about 30 nats, each with a few roundings of 6e-8 relative.
    np.testing.assert_allclose(result.bound, MODEL.log_marginal(x), rtol=0, atol=5e-5)


def test_every_log_weight_of_the_exact_posterior_is_log_marginal():
    x = MODEL.data(6)
    z, log_q = MODEL.posterior(x).experimental_sample_and_log_prob(50, seed=(1, 2))
    log_weight = MODEL.prior().log_prob(z) + MODEL.generate(z).log_prob(x) - log_q
    np.testing.assert_allclose(log_weight, np.broadcast_to(MODEL.log_marginal(x), (50, 6)), rtol=1e-10)


def test_analytic_kl_of_both_posteriors():
    x = MODEL.data(6)
    exact = estimate(x, MODEL.posterior(x), B)
    np.testing.assert_allclose(exact.kl, MODEL.kl(MODEL.posterior_mean(x), MODEL.posterior_covariance), rtol=1e-10)
    loc, scale = mismatched(x)
    np.testing.assert_allclose(estimate(x, diag(loc, scale), B).kl, MODEL.kl(loc, np.diag(scale**2)), rtol=1e-10)


# (2) Expectations, within five standard errors of the sample itself ------------------------------------------------


def repeated(values, times):
    return np.tile(values, (times, 1))


@pytest.mark.parametrize("kl", [A, B])
def test_expectation_is_the_elbo_and_the_elbo_is_a_lower_bound(kl):
    x, times = MODEL.data(4), 4000
    loc, scale = mismatched(x)
    expected = MODEL.elbo(x, loc, np.diag(scale**2))
    assert np.all(expected < MODEL.log_marginal(x))
    result = estimate(repeated(x, times), diag(repeated(loc, times), scale), kl, seed=11)
    terms = {
        "bound": expected,
        "log_likelihood": MODEL.log_likelihood(x, loc, np.diag(scale**2)),
        "kl": MODEL.kl(loc, np.diag(scale**2)),
    }
    for name, expectation in terms.items():
        values = np.reshape(getattr(result, name), (times, 4))
        standard_error = values.std(axis=0, ddof=1) / np.sqrt(times)
        np.testing.assert_array_less(np.abs(values.mean(axis=0) - expectation), 5 * standard_error + 1e-9, err_msg=name)


def test_bound_falls_short_by_the_kl_to_the_true_posterior():
    x = MODEL.data(4)
    loc, scale = mismatched(x)
    gap = tfd.kl_divergence(diag(loc, scale), MODEL.posterior(x))
    np.testing.assert_allclose(MODEL.log_marginal(x) - MODEL.elbo(x, loc, np.diag(scale**2)), gap, rtol=1e-9)


def test_samples_are_averaged_not_summed():
    x, times = MODEL.data(1), 400
    loc, scale = mismatched(x)
    spread = {}
    for num_samples in (1, 25):
        q = diag(repeated(loc, times), scale)
        values = estimate(repeated(x, times), q, B, num_samples, seed=num_samples).bound.numpy()
        standard_error = values.std(ddof=1) / np.sqrt(times)
        assert abs(values.mean() - MODEL.elbo(x, loc, np.diag(scale**2))[0]) < 5 * standard_error
        spread[num_samples] = values.var(ddof=1)
    # A variance ratio of two samples of 400: its log has standard deviation about 2 / sqrt(400), doubled for skew.
    assert abs(np.log(spread[1] / spread[25]) - np.log(25)) < 5 * 0.2


@pytest.mark.parametrize("kl", [A, B])
def test_expected_gradient_is_the_elbos(kl):
    x, times = MODEL.data(2), 4000
    loc, scale = mismatched(x)
    tiled = tf.constant(repeated(loc, times))
    tiled_scale = tf.constant(np.broadcast_to(scale, tiled.shape))
    with tf.GradientTape() as tape:
        tape.watch([tiled, tiled_scale])
        surrogate = estimate(
            repeated(x, times), tfd.MultivariateNormalDiag(tiled, tiled_scale), kl, seed=5
        ).surrogate_loss
    gradients = tape.gradient(surrogate, [tiled, tiled_scale])
    precision = MODEL.weights.T @ MODEL.weights / MODEL.sigma**2
    expected_loc = loc - (x - MODEL.bias - loc @ MODEL.weights.T) @ MODEL.weights / MODEL.sigma**2
    expected_scale = np.broadcast_to(scale * (np.diag(precision) + 1) - 1 / scale, loc.shape)
    for gradient, expected in zip(gradients, (expected_loc, expected_scale), strict=True):
        values = np.reshape(gradient, (times, *expected.shape))
        standard_error = values.std(axis=0, ddof=1) / np.sqrt(times)
        np.testing.assert_array_less(np.abs(values.mean(axis=0) - expected), 5 * standard_error + 1e-9)


# (3) Gradients against central differences, the noise held fixed ---------------------------------------------------


@pytest.mark.parametrize(("kl", "beta"), slow_except(itertools.product([A, B], [1.0, 0.3]), (A, 0.3)))
def test_gradients_of_the_surrogate(kl, beta):
    x = MODEL.data(2)
    loc, _ = mismatched(x)
    values = {
        "loc": loc,
        "raw_scale": np.random.default_rng(3).normal(size=(2, 3)),
        "weights": np.array(MODEL.weights),
    }

    def surrogate(loc, raw_scale, weights):
        def generate(z):
            mean = tf.linalg.matmul(z, weights, transpose_b=True) + MODEL.bias
            return tfd.MultivariateNormalDiag(mean, tf.constant(MODEL.sigma, tf.float64, shape=[5]))

        q = tfd.MultivariateNormalDiag(loc, tf.nn.softplus(raw_scale))
        return tf.reduce_sum(estimate(x, q, kl, 3, seed=(4, 5), beta=beta, generate=generate).surrogate_loss)

    tensors = [tf.constant(value) for value in values.values()]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        loss = surrogate(*tensors)
    gradients = tape.gradient(loss, tensors)
    compiled = tf.function(surrogate)
    step = 1e-5
    for position, (name, value) in enumerate(values.items()):
        differences = np.zeros_like(value)
        for index in np.ndindex(value.shape):
            ends = []
            for sign in (1, -1):
                moved = value.copy()
                moved[index] += sign * step
                ends.append(float(compiled(*tensors[:position], tf.constant(moved), *tensors[position + 1 :])))
            differences[index] = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(gradients[position], differences, rtol=1e-6, atol=1e-7, err_msg=name)


# (4) The contract of an Estimate -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kl", "num_samples", "batch_size"), slow_except(itertools.product([A, B], [1, 7], [1, 6]), (A, 7, 1), (B, 1, 6))
)
def test_contract(kl, num_samples, batch_size):
    x = MODEL.data(batch_size)
    q = diag(*mismatched(x))
    results = {beta: estimate(x, q, kl, num_samples, seed=3, beta=beta) for beta in (0.0, 1.0, 4.0)}
    one = results[1.0]
    assert isinstance(one, Estimate)
    assert one._fields == ("surrogate_loss", "bound", "log_likelihood", "kl", "terms")
    assert one.terms == {}
    for value in one[:4]:
        assert value.shape == (batch_size,)
        assert value.dtype == tf.float64
    np.testing.assert_array_equal(one.bound, one.log_likelihood - one.kl)
    np.testing.assert_allclose(one.surrogate_loss, -one.bound, rtol=1e-12)
    for beta, result in results.items():
        for name in ("bound", "log_likelihood", "kl"):
            np.testing.assert_array_equal(getattr(result, name), getattr(one, name))
        np.testing.assert_allclose(result.surrogate_loss, beta * one.kl - one.log_likelihood, rtol=1e-12)
    as_variable = estimate(x, q, kl, num_samples, seed=3, beta=tf.Variable(4.0))
    np.testing.assert_array_equal(as_variable.surrogate_loss, results[4.0].surrogate_loss)


def test_beta_that_is_no_float32_number_keeps_float64():
    x = MODEL.data(4)
    q = diag(*mismatched(x))
    one, third = (estimate(x, q, B, seed=3, beta=beta) for beta in (1.0, 1 / 3))
    np.testing.assert_allclose(third.surrogate_loss, one.kl / 3 - one.log_likelihood, rtol=1e-12)


@pytest.mark.parametrize("kl", slow_except([A, B], A))
def test_same_seed_same_numbers(kl):
    x = MODEL.data(4)
    q = diag(*mismatched(x))
    for same in ((3, 3), ((1, 2), tf.constant([1, 2])), (2**40 + 3, 2**40 + 3)):
        first, second = (estimate(x, q, kl, seed=seed).bound.numpy() for seed in same)
        np.testing.assert_array_equal(first, second)
    for other in ((3, 4), ((1, 2), (2, 1)), (3, 2**32 + 3), (0, -1), (None, None)):
        first, second = (estimate(x, q, kl, seed=seed).bound.numpy() for seed in other)
        assert np.any(first != second), other
    generators = [keras.random.SeedGenerator(7) for _ in range(2)]
    runs = [[estimate(x, q, kl, seed=generator).bound.numpy() for _ in range(2)] for generator in generators]
    np.testing.assert_array_equal(*runs)
    assert np.any(runs[0][0] != runs[0][1])


def test_both_estimators_draw_the_same_latents():
    x = MODEL.data(4)
    q = diag(*mismatched(x))
    a, b = (estimate(x, q, kl, 7, seed=3) for kl in (A, B))
    np.testing.assert_allclose(a.log_likelihood, b.log_likelihood, rtol=1e-12)


@pytest.mark.parametrize(("kl", "jit_compile"), slow_except(itertools.product([A, B], [False, True]), (B, False)))
def test_compiles_with_an_unknown_batch_size(kl, jit_compile):
    x = MODEL.data(5)
    model_posterior = MODEL.posterior(x)
    signature = [tf.TensorSpec([None, n], tf.float64) for n in (5, 3)]

    @tf.function(input_signature=signature, jit_compile=jit_compile)
    def compiled(x, loc):
        tril = tf.constant(np.linalg.cholesky(MODEL.posterior_covariance))
        with tf.GradientTape() as tape:
            tape.watch(loc)
            q = tfd.MultivariateNormalTriL(loc, tril)
            result = SGVB(2, kl=kl)(Problem(x, q, MODEL.prior(), MODEL.generate), seed=(1, 2))
        return result, tape.gradient(result.surrogate_loss, loc)

    result, gradient = compiled(tf.constant(x), model_posterior.mean())
    assert gradient.shape == (5, 3)
    if kl == A:
        np.testing.assert_allclose(result.bound, MODEL.log_marginal(x), rtol=1e-9)
    else:
        np.testing.assert_allclose(result.kl, estimate(x, model_posterior, B).kl, rtol=1e-9)


@pytest.mark.parametrize("num_samples", [0, -1, 1.5, True, "3", None])
def test_impossible_numbers_of_samples(num_samples):
    with pytest.raises(ValueError, match="num_samples") as caught:
        SGVB(num_samples)
    assert repr(num_samples) in str(caught.value)


@pytest.mark.parametrize("kl", ["foo", None, "Analytic", 0])
def test_impossible_kinds_of_kl(kl):
    with pytest.raises(ValueError, match="monte_carlo") as caught:
        SGVB(kl=kl)
    assert repr(kl) in str(caught.value)
    assert "analytic" in str(caught.value)


def test_unknown_closed_form_names_the_way_out():
    x = MODEL.data(4)
    loc, scale = mismatched(x)
    laplace = tfd.Independent(tfd.Laplace(loc, scale), 1)
    with pytest.raises(NotImplementedError, match="monte_carlo") as caught:
        estimate(x, laplace, B)
    assert "Laplace" in str(caught.value)
    assert estimate(x, laplace, A).bound.shape == (4,)


def test_config_through_json():
    for estimator in (SGVB(), SGVB(5, kl="monte_carlo")):
        config = json.dumps(keras.saving.serialize_keras_object(estimator))
        again = keras.saving.deserialize_keras_object(json.loads(config))
        assert isinstance(again, SGVB)
        assert (again.num_samples, again.kl) == (estimator.num_samples, estimator.kl)
        assert repr(again) == repr(estimator)


def test_numpy_integer_is_a_number_of_samples():
    assert SGVB(np.int64(3)).num_samples == 3


def test_prior_layer_and_oracle_agree():
    z = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    prior = tfvae.priors.StandardNormal(3)
    np.testing.assert_allclose(prior(z), MODEL.prior(tf.float32).log_prob(z), rtol=1e-6)
    np.testing.assert_allclose(prior.distribution().log_prob(z), prior(z), rtol=1e-6)

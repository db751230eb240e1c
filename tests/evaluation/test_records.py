"""Evaluations against closed forms: a linear-Gaussian VAE whose encoder is the exact posterior."""

import itertools
import json
import math

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from slow import slow_except

import tfvae
from tfvae import evaluation, layers

D, X, N = 2, 3, 23
SIGMA = 0.8


def linear_gaussian_vae(posterior_scale=1.0):
    """p(z) = N(0, I), p(x|z) = N(Wz + b, SIGMA^2 I); the encoder is exact but for the posterior's scale factor."""
    rng = np.random.default_rng(3)
    w, b = rng.normal(size=(X, D)), rng.normal(size=X)
    covariance = np.linalg.inv(np.eye(D) + w.T @ w / SIGMA**2)
    gain = covariance @ w.T / SIGMA**2
    scale_tril = np.linalg.cholesky(covariance) * posterior_scale
    # The layers' own parameterisation, inverted: softplus on the diagonal, triangle in TFP's order.
    raw = scale_tril.copy()
    raw[np.diag_indices(D)] = np.log(np.expm1(np.diag(scale_tril) - 1e-5))
    triangle = tf.convert_to_tensor(raw)
    import tensorflow_probability as tfp

    encoder = keras.Sequential(
        [keras.layers.Dense(layers.MultivariateNormalTriL.params_size(D)), layers.MultivariateNormalTriL(D)]
    )
    decoder = keras.Sequential(
        [keras.layers.Dense(layers.IndependentNormal.params_size(X)), layers.IndependentNormal((X,))]
    )
    vae = tfvae.models.VAE(encoder, decoder)
    num_triangle = D * (D + 1) // 2
    encoder.layers[0].set_weights(
        [
            np.concatenate([gain.T, np.zeros((X, num_triangle))], axis=1),
            np.concatenate([-gain @ b, tfp.math.fill_triangular_inverse(triangle)]),
        ]
    )
    decoder.layers[0].set_weights(
        [
            np.concatenate([w.T, np.zeros((D, X))], axis=1),
            np.concatenate([b, np.full(X, math.log(math.expm1(SIGMA)))]),
        ]
    )
    x = rng.normal(size=(N, X)).astype("float32")
    log_px = scipy.stats.multivariate_normal(b, w @ w.T + SIGMA**2 * np.eye(X)).logpdf(x)
    return vae, x, log_px


@pytest.fixture(scope="module")
def exact():
    return linear_gaussian_vae()


@pytest.mark.parametrize(("seed", "k"), slow_except(itertools.product([0, 11], [1, 7, 50, 123]), (0, 1), (11, 7)))
def test_log_marginal_is_exact_with_the_exact_posterior(k, seed, exact):
    vae, x, log_px = exact
    record = evaluation.log_marginal(vae, x, num_importance_samples=k, batch_size=10, seed=seed)
    np.testing.assert_allclose(record.per_example, log_px, atol=3e-5)
    assert record.diagnostics["effective_sample_size_min"] == pytest.approx(k, rel=1e-3)
    assert record.mean == pytest.approx(log_px.mean(), abs=2e-5)


def test_elbo_is_exact_with_the_exact_posterior_up_to_the_spread_of_its_draws(exact):
    vae, x, log_px = exact
    record = evaluation.elbo(vae, x, num_samples=400, batch_size=10)
    # Estimator B has noise even there; its own standard error says how much.
    assert abs(record.mean - log_px.mean()) < 5 * record.monte_carlo_standard_error
    assert 0 < record.monte_carlo_standard_error < 0.05
    total = record.diagnostics["log_likelihood"] - record.diagnostics["kl"]
    assert total == pytest.approx(record.mean, abs=1e-4)


def test_the_error_over_draws_is_known_by_default(exact):
    vae, x, _ = exact
    record = evaluation.elbo(vae, x)
    assert record.diagnostics["num_samples"] == 2
    assert 0 < record.monte_carlo_standard_error < 1
    assert 0 < evaluation.bits_per_dim(record, x.shape[1]).monte_carlo_standard_error < 1
    assert math.isnan(evaluation.elbo(vae, x, num_samples=1).monte_carlo_standard_error)


@pytest.mark.slow
def test_log_marginal_with_a_wrong_posterior_approaches_log_p_from_below():
    vae, x, log_px = linear_gaussian_vae(posterior_scale=1.7)
    elbo = evaluation.elbo(vae, x, num_samples=200)
    few = evaluation.log_marginal(vae, x, num_importance_samples=5)
    many = evaluation.log_marginal(vae, x, num_importance_samples=5000)
    slack = 5 * elbo.monte_carlo_standard_error
    assert elbo.mean < few.mean + slack < many.mean + slack
    assert abs(many.mean - log_px.mean()) < 5 * many.monte_carlo_standard_error
    # The delta-method error is the spread over seeds.
    spread = np.std(
        [evaluation.log_marginal(vae, x, num_importance_samples=200, seed=s).mean for s in range(30)], ddof=1
    )
    claimed = evaluation.log_marginal(vae, x, num_importance_samples=200).monte_carlo_standard_error
    assert 0.5 < claimed / spread < 2.0  # the spread of 30 is itself known to about 13 %


def test_array_split_and_data_set_give_the_same_numbers(exact):
    vae, x, _ = exact
    records = [
        evaluation.elbo(vae, data, num_samples=3, batch_size=10)
        for data in (x, tfvae.data.Split(x), tf.data.Dataset.from_tensor_slices(x).batch(10))
    ]
    for record in records[1:]:
        np.testing.assert_array_equal(record.per_example, records[0].per_example)
    again = evaluation.elbo(vae, x, num_samples=3, batch_size=10)
    np.testing.assert_array_equal(again.per_example, records[0].per_example)
    other = evaluation.elbo(vae, x, num_samples=3, batch_size=10, seed=1)
    assert np.any(other.per_example != records[0].per_example)


@pytest.mark.slow
def test_data_in_another_precision(exact):
    vae, x, _ = exact
    for data in (x.astype("float64"), x.astype("float16")):
        np.testing.assert_allclose(evaluation.elbo(vae, data).mean, evaluation.elbo(vae, x).mean, rtol=1e-3)
        marginal = evaluation.log_marginal(vae, data, num_importance_samples=5)
        np.testing.assert_allclose(marginal.mean, evaluation.log_marginal(vae, x).mean, rtol=1e-3)


def test_bits_per_dim_by_hand():
    record = evaluation.Record("log_marginal", "nats", np.array([-10.0, -14.0]), np.array([0.01, 0.03]))
    bits = evaluation.bits_per_dim(record, num_dimensions=6, num_levels=256)
    assert bits.mean == pytest.approx(12.0 / (6 * math.log(2)) + 8.0)
    assert bits.standard_error == pytest.approx(record.standard_error / (6 * math.log(2)))
    assert evaluation.bits_per_dim(record, 6).mean == pytest.approx(12.0 / (6 * math.log(2)))


@pytest.mark.parametrize("counts", [(0,), (-3,), (2.5,), ("4",), (4, 0), (4, -2), (4, 256.0)])
def test_bits_per_dim_of_impossible_counts(counts):
    record = evaluation.Record("log_marginal", "nats", np.array([-10.0]), np.array([0.01]))
    name = "num_dimensions" if len(counts) == 1 else "num_levels"
    with pytest.raises(ValueError, match=f"`{name}` must be an integer of at least 1"):
        evaluation.bits_per_dim(record, *counts)


def test_record_standard_errors_by_hand_and_json():
    record = evaluation.Record("elbo", "nats", np.array([1.0, 2.0, 6.0]), np.array([0.3, 0.4, 0.2]))
    assert record.mean == 3.0
    assert record.standard_error == pytest.approx(np.sqrt(7.0 / 3.0))
    assert record.monte_carlo_standard_error == pytest.approx(math.sqrt(0.9) / 3)
    assert json.loads(json.dumps(record.to_dict(), allow_nan=False))["num_examples"] == 3
    single = evaluation.Record("elbo", "nats", np.array([1.0]), np.array([np.nan]))
    assert single.to_dict()["standard_error"] is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda vae, x: evaluation.log_marginal(vae, x, num_importance_samples=0), "num_importance_samples"),
        (lambda vae, x: evaluation.elbo(vae, x, num_samples=0), "num_samples"),
        (lambda vae, x: evaluation.elbo(vae, x[:0]), "no examples"),
        (lambda vae, x: evaluation.elbo(vae, x[:, :2]), r"event shape \(2,\)"),
        (lambda vae, x: evaluation.elbo(vae, np.where(x > 0, np.nan, x)), "NaN"),
        (lambda vae, x: evaluation.elbo(vae, x, batch_size=0), "batch_size"),
    ],
)
def test_bad_input_is_one_clear_error(call, message, exact):
    vae, x, _ = exact
    with pytest.raises(ValueError, match=message):
        call(vae, x)


def test_a_model_can_be_forgotten():
    import gc
    import weakref

    vae, x, _ = linear_gaussian_vae()
    evaluation.elbo(vae, x)
    reference = weakref.ref(vae)
    del vae
    keras.backend.clear_session()
    gc.collect()
    assert reference() is None

"""Sticks: log-odds against fractions, quadrature and finite differences; shares; nothing NaN at extremes."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import special, stats

import tfvae
from tfvae._kl import exact_kl_or_none
from tfvae.estimators import SGVB
from tfvae.evaluation import log_marginal
from tfvae.layers import (
    GammaSticks,
    IndependentBernoulli,
    IndependentKumaraswamy,
    KumaraswamySticks,
    LogitNormalSticks,
    StickBreaking,
)
from tfvae.layers._log_odds import BetaLogOdds, KumaraswamyLogOdds
from tfvae.models import VAE
from tfvae.priors import StickBreaking as StickBreakingPrior

tfd = tfp.distributions
GRID = (0.01, 0.1, 0.49, 0.51, 0.999, 1.2, 30.0, 1000.0), (0.01, 0.3, 1.0, 5.0, 100.0, 1000.0)
CONCENTRATIONS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


def mean_of_minus_log_rest(a, b):
    """E[-log(1 - v)] and its derivatives by a and b, by a fine rule over the log-odds of v^a."""
    sigma = np.arange(-45.0 - np.log(max(b, 1.0)), max(60.0, 60.0 / b), 0.02)
    log_y, log_rest = -np.logaddexp(0.0, -sigma), -np.logaddexp(0.0, sigma)
    small = np.maximum(-log_y / a, 1e-300)  # -log v
    with np.errstate(over="ignore", divide="ignore"):
        of_v = np.where(small > 0.7, -np.log1p(-np.exp(-small)), -np.log(-np.expm1(-small)))
        by_a = np.where(sigma > 30.0, 1.0 / a, small / a / np.expm1(small))
    value = np.where(sigma > 30.0, sigma + np.log(a), of_v)
    weight = 0.02 * b * np.exp(log_y + b * log_rest)
    return np.sum(weight * value), np.sum(weight * by_a), np.sum(weight * value * (1.0 / b + log_rest))


def test_kl_of_kumaraswamy_and_beta_with_gradients():
    pairs = np.array(list(itertools.product(*GRID)))
    a, b = pairs[:, :1], pairs[:, 1:]
    rest, rest_by_a, rest_by_b = (
        m[:, np.newaxis] for m in np.array([mean_of_minus_log_rest(*pair) for pair in pairs]).T
    )
    alpha, beta = np.array(list(itertools.product(CONCENTRATIONS, CONCENTRATIONS))).T
    harmonic = special.digamma(b + 1) + np.euler_gamma
    kl = np.log(a * b) - (b - 1) / b + special.betaln(alpha, beta) - (a - alpha) * harmonic / a + (beta - 1) * rest
    slopes = (
        1 / a - alpha * harmonic / a**2 + (beta - 1) * rest_by_a,
        1 / b - 1 / b**2 - (a - alpha) / a * special.polygamma(1, b + 1) + (beta - 1) * rest_by_b,
        special.digamma(alpha) - special.digamma(alpha + beta) + harmonic / a,
        special.digamma(beta) - special.digamma(alpha + beta) + rest,
    )
    for dtype, tolerance in (("float32", 1e-5), ("float64", 2e-6)):
        given = [tf.constant(np.broadcast_to(each, kl.shape), dtype) for each in (a, b, alpha, beta)]

        @tf.function(jit_compile=dtype == "float32", autograph=False)
        def kl_with_gradients(*given):
            with tf.GradientTape() as tape:
                tape.watch(given)
                found = tfd.kl_divergence(KumaraswamyLogOdds(*given[:2]), BetaLogOdds(*given[2:]))
            return found, tape.gradient(found, given)

        found, gradients = kl_with_gradients(*given)
        assert found.dtype == dtype
        scale = np.maximum(1.0, np.abs(kl))
        assert np.max(np.abs(found - kl) / scale) < tolerance
        for gradient, slope, parameter in zip(gradients, slopes, given, strict=True):
            # By the logarithm of the parameter.
            assert np.max(np.abs(gradient - slope) * parameter / scale) < tolerance
    equal = tfd.kl_divergence(tfd.Kumaraswamy(1.0, 5.0), tfd.Beta(1.0, 5.0))
    np.testing.assert_allclose(equal, 0.0, atol=1e-6)


def test_kl_is_found_through_independent_and_equals_the_fractions():
    params = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
    fractions = IndependentKumaraswamy.new(params, (3,))
    beta = tfd.Independent(tfd.Beta(tf.ones(3), 2.5 * tf.ones(3)), 1)
    kl = exact_kl_or_none(fractions, beta)
    v = fractions.sample(20_000, seed=(0, 1))
    ratio = fractions.log_prob(v) - beta.log_prob(v)
    error = np.std(ratio, axis=0) / np.sqrt(len(ratio))
    assert np.all(np.abs(np.mean(ratio, axis=0) - kl) < 5 * error)


LAYERS = {"kumaraswamy": KumaraswamySticks, "gamma": GammaSticks, "normal": LogitNormalSticks}


@pytest.fixture(params=LAYERS)
def layer(request):
    return LAYERS[request.param]


def test_sampled_sticks_agree_with_their_density_mean_and_kl(layer):
    params = 1.5 * np.random.default_rng(1).normal(size=(3, 8)).astype("float32")
    q, p = layer.new(params, 4), StickBreakingPrior(4, alpha0=3.0).distribution()
    u, log_q = q.experimental_sample_and_log_prob(20_000, seed=(0, 3))
    np.testing.assert_allclose(q.log_prob(np.array(u)), log_q, rtol=1e-4, atol=1e-4)
    difference = log_q - p.log_prob(u)
    kl = exact_kl_or_none(q, p)
    for drawn, exact in ((difference, kl), (u, q.mean())):
        error = np.std(drawn, axis=0) / np.sqrt(len(drawn))
        assert np.all(np.abs(np.mean(drawn, axis=0) - exact) < 5 * error)


@pytest.mark.parametrize(("a", "b"), [(0.3, 2.0), (4.0, 0.2), (1.0, 5.0), (50.0, 100.0)])
@pytest.mark.parametrize("cls", [KumaraswamyLogOdds, BetaLogOdds])
def test_log_odds_follow_their_distribution_and_integrate_to_one(cls, a, b):
    u = np.asarray(cls(a, b).sample(2000, seed=(1, 2)), "float64")
    v = special.expit(u)
    cdf = -special.xlog1py(b, -(v**a)) if cls is KumaraswamyLogOdds else None
    level = -np.expm1(-cdf) if cdf is not None else stats.beta.cdf(v, a, b)
    assert stats.kstest(level, "uniform").pvalue > stats.norm.sf(5.0)
    grid = np.linspace(-200.0, 200.0, 400_001)
    density = np.exp(cls(tf.constant(a, tf.float64), b).log_prob(grid))
    np.testing.assert_allclose(np.sum(density) * (grid[1] - grid[0]), 1.0, rtol=1e-6)


def test_pathwise_gradients_of_draws():
    """Against central differences in float64 with the same noise."""

    def draws(a, b):
        return KumaraswamyLogOdds(a, b).sample(50, seed=(0, 5))

    at = [tf.constant([0.02, 0.7, 3.0, 200.0], tf.float64), tf.constant([300.0, 0.05, 1.0, 20.0], tf.float64)]
    with tf.GradientTape() as tape:
        tape.watch(at)
        total = tf.reduce_sum(draws(*at), axis=0)
    for i, gradient in enumerate(tape.gradient(total, at)):
        up, down = ([value * (1 + (j == i) * h) for j, value in enumerate(at)] for h in (1e-5, -1e-5))
        difference = tf.reduce_sum(draws(*up) - draws(*down), axis=0) / (2e-5 * at[i])
        np.testing.assert_allclose(gradient, difference, rtol=1e-6)


@pytest.mark.parametrize(
    ("cls", "jit_compile"),
    [
        (KumaraswamyLogOdds, False),
        (BetaLogOdds, False),
        pytest.param(KumaraswamyLogOdds, True, marks=pytest.mark.slow),
        pytest.param(BetaLogOdds, True, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_nan_for_fifty_sticks(cls, jit_compile):
    a, b = (
        tf.repeat(tf.constant(c, tf.float32)[:, tf.newaxis], 49, axis=1)
        for c in np.array(list(itertools.product(CONCENTRATIONS, CONCENTRATIONS))).T
    )

    @tf.function(jit_compile=jit_compile, autograph=False)
    def terms(a, b):
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            q, p = cls(a, b), BetaLogOdds(tf.ones(49), 5.0 * tf.ones(49))
            u, log_q = q.experimental_sample_and_log_prob(20, seed=(0, 1))
            log_p, shares, kl = p.log_prob(u), StickBreaking()(u), tfd.kl_divergence(q, p)
            logs = StickBreaking(log_shares=True)(u)
            total = tf.reduce_sum(log_q - log_p) + tf.reduce_sum(kl) + tf.reduce_sum(shares**2) + tf.reduce_sum(logs)
        return u, log_q, log_p, shares, kl, logs, *tape.gradient(total, [a, b])

    found = terms(a, b)
    assert all(np.isfinite(each).all() for each in found)
    np.testing.assert_allclose(np.sum(found[3], axis=-1), 1.0, rtol=1e-5)
    assert np.all(found[4] > -1e-5)


def test_shares_are_products_and_add_up_to_one():
    u = np.random.default_rng(0).normal(size=(4, 6, 49)).astype("float32")
    v = special.expit(u.astype("float64"))
    left = np.cumprod(np.concatenate([np.ones((4, 6, 1)), 1 - v], axis=-1), axis=-1)
    expected = left * np.concatenate([v, np.ones((4, 6, 1))], axis=-1)
    shares = StickBreaking()(u)
    np.testing.assert_allclose(shares, expected, rtol=2e-5)
    np.testing.assert_allclose(StickBreaking(log_shares=True)(u), np.log(expected), rtol=1e-5)
    np.testing.assert_allclose(StickBreaking(of_fractions=True)(v.astype("float32")), expected, rtol=2e-5)
    assert np.all(np.asarray(shares)[..., -1] > 0)
    ends = StickBreaking(of_fractions=True)(np.array([[0.0, 1.0, 0.5]], "float32"))
    np.testing.assert_allclose(ends, [[0.0, 1.0, 0.0, 0.0]], atol=1e-6)
    assert StickBreaking(dtype="mixed_float16")(u).dtype == tf.float16


def sticks_vae(layer, kl="auto", size=49, **kwargs):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2 * size), layer(size, **kwargs)])
    decoder = keras.Sequential([keras.Input((size,)), StickBreaking(), keras.layers.Dense(5), IndependentBernoulli(5)])
    return VAE(encoder, decoder, StickBreakingPrior(size, alpha0=4.0), SGVB(kl=kl), seed=0)


@pytest.mark.parametrize("kl", [pytest.param("analytic", marks=pytest.mark.slow), "monte_carlo"])
def test_vae_of_extreme_sticks_trains_and_is_saved(kl, tmp_path):
    """Raw parameters far out, so that concentrations reach their limits."""
    x = np.random.default_rng(0).integers(2, size=(64, 5)).astype("float32")
    vae = sticks_vae(KumaraswamySticks, kl, start=4.0)
    vae.encoder.layers[0].kernel.assign(4000.0 * vae.encoder.layers[0].kernel)
    sticks = vae.encode(x).distribution
    for reached in (sticks.concentration1.numpy(), sticks.concentration0.numpy()):
        assert reached.min() < 0.012
        assert reached.max() > 900
    vae.compile("adam", jit_compile=False)
    history = vae.fit(x, epochs=2, batch_size=32, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert np.isfinite(vae.get_weights()[0]).all()
    with pytest.warns(UserWarning, match="importance"):
        assert np.isfinite(log_marginal(vae, x[:8], num_importance_samples=50).per_example).all()
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(loaded.elbo(x, seed=3), vae.elbo(x, seed=3))
    assert loaded.encoder.layers[-1].start == 4.0


def test_raw_parameters_of_zero_give_the_prior():
    for layer in (KumaraswamySticks, GammaSticks):
        q = layer(3, start=4.0)(np.zeros((1, 6), "float32"))
        np.testing.assert_allclose(
            exact_kl_or_none(q, StickBreakingPrior(3, alpha0=4.0).distribution()), 0.0, atol=1e-5
        )


def test_the_first_raw_parameter_is_the_log_odds_of_the_median():
    """Exactly where log b is well within its limits: at the median, half of the draws are above."""
    params = np.array([[-0.5, 0.7, 0.3, -0.4]], "float32")
    sticks = KumaraswamySticks.new(params, 2, start=2.0).distribution
    median = -np.expm1(-np.log(2.0) / 2.0)
    log_odds = params[0, :2] + special.logit(median)
    a, b = (each.numpy()[0] for each in (sticks.concentration1, sticks.concentration0))
    np.testing.assert_allclose((1 - special.expit(log_odds) ** a) ** b, 0.5, atol=0.01)


def test_errors():
    with pytest.raises(ValueError, match=r"`start` must be a finite number, above 0\.01"):
        KumaraswamySticks(3, start=0.0)
    with pytest.raises(ValueError, match="`alpha0` must be a finite number, above 0"):
        StickBreakingPrior(3, alpha0=0.0)

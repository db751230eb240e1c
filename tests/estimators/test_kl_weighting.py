"""KL weightings by hand: their value, their gradient, who takes them, and that the bound knows nothing of them."""

import dataclasses
import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from linear_gaussian import make_linear_gaussian

import tfvae
from tfvae import estimators
from tfvae.estimators import SGVB, Capacity, ELBOTerms, FreeBits, KLPenalty, Problem, ScoreFunction
from tfvae.estimators.kl_weighting import kl_per_factor
from tfvae.layers import IndependentBernoulli, MultivariateNormalDiag

tfd = tfp.distributions
MODEL = make_linear_gaussian()
B, D = 4, 3
X = MODEL.data(B)
RNG = np.random.default_rng(5)
LOC, SCALE = RNG.normal(size=(B, D)) * [0.35, 0.6, 1.5], np.array([0.97, 0.75, 0.2])
# [B, D], of which the first dimension's mean is below 0.1 nats and the others' are not.
KL = 0.5 * (LOC**2 + SCALE**2 - 1) - np.log(SCALE)
NATS = 0.1


def diag(loc=LOC):
    return tfd.MultivariateNormalDiag(loc, tf.broadcast_to(tf.constant(SCALE), (B, D)))


def estimate(estimator, beta, posterior=None, prior=None):
    posterior = diag() if posterior is None else posterior
    problem = Problem(tf.constant(X), posterior, prior or MODEL.prior(), MODEL.generate, infer=lambda x: diag())
    return estimator(problem, beta=beta, seed=3)


def surrogate_kl(estimator, beta, **kwargs):
    """What the estimator adds to the surrogate for its KL: the draws are the same with beta = 0."""
    return (
        estimate(estimator, beta, **kwargs).surrogate_loss - estimate(estimator, 0.0, **kwargs).surrogate_loss
    ).numpy()


def test_the_numbers_of_this_file_are_on_both_sides_of_the_threshold():
    assert 0 < KL[:, 0].mean() < NATS < KL[:, 0].max()
    assert KL[:, 1:].mean(axis=0).min() > NATS > KL[:, 1:].min()


# Their value ---------------------------------------------------------------------------------------------------------

SPELLINGS = {
    "diag, diag": (diag, MODEL.prior),
    "diag, Independent": (diag, lambda: tfd.Independent(tfd.Normal(np.zeros(D), np.ones(D)), 1)),
    "Independent, Sample": (
        lambda: tfd.Independent(tfd.Normal(tf.constant(LOC), SCALE), 1),
        lambda: tfd.Sample(tfd.Normal(np.float64(0), 1), D),
    ),
}


@pytest.mark.parametrize("spelling", list(SPELLINGS))
def test_free_bits_acts_on_the_batch_mean_of_each_dimension(spelling):
    posterior, prior = (make() for make in SPELLINGS[spelling])
    np.testing.assert_allclose(kl_per_factor(posterior, prior), KL, rtol=1e-12)
    terms = ELBOTerms(log_likelihood=tf.zeros(B, tf.float64), kl=tf.constant(KL.sum(1)))
    problem = Problem(tf.constant(X), posterior, prior, MODEL.generate)
    penalty = FreeBits(NATS).penalty(terms, problem, beta=tf.constant(0.6, tf.float64))
    assert penalty.shape == (B,)
    by_hand = 0.6 * np.sum(np.maximum(NATS, KL.mean(axis=0)))
    np.testing.assert_allclose(tf.reduce_mean(penalty), by_hand, rtol=1e-12)


def test_free_bits_of_independent_parts_that_are_vectors():
    logits = np.random.default_rng(6).normal(size=(B, 2, 5))
    posterior = tfd.Independent(tfd.OneHotCategorical(logits=tf.constant(logits)), 1)
    prior = tfd.Independent(tfd.OneHotCategorical(logits=tf.zeros([2, 5], tf.float64)), 1)
    probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(kl_per_factor(posterior, prior), np.sum(probs * np.log(5 * probs), -1), rtol=1e-9)


def test_free_bits_acts_on_the_whole_kl_where_dimensions_are_not_told_apart():
    tril = tfd.MultivariateNormalTriL(LOC, tf.linalg.diag(tf.constant(SCALE)))
    assert kl_per_factor(tril, MODEL.prior()) is None
    kl = KL.sum(axis=1)
    for nats in (kl.mean() - 0.01, kl.mean() + 0.01):
        added = surrogate_kl(SGVB(), KLPenalty(FreeBits(nats), 2.0), posterior=tril)
        np.testing.assert_allclose(added.mean(), 2.0 * max(nats, kl.mean()), rtol=1e-10)


def test_other_parts_than_the_priors_are_one_whole():
    mixed = tfd.Independent(tfd.MultivariateNormalDiag(np.zeros((B, 2, 5)), np.ones((B, 2, 5))), 1)
    assert kl_per_factor(mixed, tfd.Independent(tfd.Normal(np.zeros((2, 5)), 1), 2)) is None
    assert kl_per_factor(diag(), tfd.Independent(tfd.Laplace(np.zeros(D), 1), 1)) is None


def test_capacity_by_hand():
    kl = KL.sum(axis=1)
    added = surrogate_kl(SGVB(), KLPenalty(Capacity(4.0, 3.0), 0.5))
    np.testing.assert_allclose(added, 3.0 * np.abs(kl - 2.0), rtol=1e-10)
    assert kl.min() < 2.0 < kl.max()


# Their gradient ------------------------------------------------------------------------------------------------------


def gradient(estimator, beta):
    loc = tf.Variable(LOC)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(estimate(estimator, beta, diag(loc)).surrogate_loss)
    return tape.gradient(loss, loc).numpy()


@pytest.mark.parametrize("estimator", [SGVB(), ScoreFunction(num_samples=2)], ids=["sgvb", "score"])
def test_gradient_of_each_weighting(estimator):
    likelihood = gradient(estimator, KLPenalty(FreeBits(1e6), 1.0))  # whose penalty is constant
    free = gradient(estimator, KLPenalty(FreeBits(NATS), 0.6)) - likelihood
    np.testing.assert_allclose(free, 0.6 * LOC / B * [0.0, 1.0, 1.0], atol=1e-12)
    held = gradient(estimator, KLPenalty(Capacity(4.0, 3.0), 0.5)) - likelihood
    np.testing.assert_allclose(held, 3.0 * np.sign(KL.sum(1) - 2.0)[:, None] * LOC / B, atol=1e-12)


# Who takes them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighting", [FreeBits(NATS), Capacity(4.0, 3.0)], ids=["free", "capacity"])
@pytest.mark.parametrize(
    "estimator", [SGVB(2), SGVB(kl="monte_carlo"), ScoreFunction()], ids=["B", "A", "score"]
)  # fmt: skip
def test_the_reported_bound_and_kl_know_nothing_of_it(estimator, weighting):
    plain, weighed = estimate(estimator, 1.0), estimate(estimator, KLPenalty(weighting, 0.7))
    for field in ("bound", "log_likelihood", "kl"):
        np.testing.assert_array_equal(getattr(plain, field), getattr(weighed, field))
    assert np.any(plain.surrogate_loss != weighed.surrogate_loss)


@pytest.mark.parametrize(
    "name",
    ["ImportanceWeighted", "DReG", "MIWAE", "PIWAE", "CIWAE", "Renyi", "VIMCO", "StickingTheLanding", "WakeSleep",
     "ReweightedWakeSleep"],
)  # fmt: skip
def test_estimators_without_a_kl_refuse_and_name_the_ones_that_work(name):
    with pytest.raises(TypeError, match=r"Use SGVB\(\), or ScoreFunction.*a number.*Received: beta=FreeBits\(nats=0.1"):
        estimate(getattr(estimators, name)(), KLPenalty(FreeBits(NATS), 1.0))


def test_score_function_without_a_closed_form_refuses():
    with pytest.raises(TypeError, match="if the KL has a closed form"):
        estimate(ScoreFunction(kl="monte_carlo"), KLPenalty(FreeBits(NATS), 1.0))


def test_a_running_mean_sees_the_likelihood():
    estimator = ScoreFunction(baseline=estimators.RunningMean())
    penalty = KLPenalty(FreeBits(NATS), 1.0)
    result = estimate(estimator, penalty)
    estimator.update(result, beta=penalty)
    np.testing.assert_allclose(estimator.baseline(X), np.full(B, result.log_likelihood.numpy().mean()), rtol=1e-5)


# In a VAE ------------------------------------------------------------------------------------------------------------


def small_vae(beta, **kwargs):
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential([keras.layers.Dense(2 * D), MultivariateNormalDiag(D)])
    decoder = keras.Sequential([keras.layers.Dense(5), IndependentBernoulli((5,))])
    return tfvae.models.VAE(encoder, decoder, beta=beta, seed=1, **kwargs)


@pytest.mark.parametrize(
    "weighting",
    [
        pytest.param(FreeBits(0.25, beta=0.5), id="free"),
        pytest.param(Capacity(2.0, 10.0, beta=0.25), id="cap", marks=pytest.mark.slow),
    ],
)
def test_a_vae_trains_with_it_and_keeps_it_in_its_file(weighting, tmp_path):
    vae, x = small_vae(weighting), RNG.integers(0, 2, size=(12, 5)).astype("float32")
    assert vae.beta.numpy() == weighting.beta
    vae.compile("adam", run_eagerly=True)
    history = vae.fit(x, batch_size=6, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    vae.save(tmp_path / "vae.keras")
    json.dumps(vae.get_config())
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    for copy in (loaded, type(vae).from_config(vae.get_config())):
        assert copy.kl_weighting == weighting
        assert copy.beta.numpy() == weighting.beta
    ours, theirs = vae.estimate(x, seed=2), loaded.estimate(x, seed=2)
    np.testing.assert_allclose(ours.surrogate_loss, theirs.surrogate_loss, rtol=1e-6)
    by_hand = weighting.penalty(ELBOTerms(ours.log_likelihood, ours.kl), vae.problem(x), beta=weighting.beta)
    np.testing.assert_allclose(ours.surrogate_loss + ours.log_likelihood, by_hand, rtol=1e-4, atol=1e-4)


def test_the_page_lists_every_estimator_and_weighting():
    page = (Path(__file__).parents[2] / "docs" / "estimators.md").read_text()
    listed = set(re.findall(r"^\| `(\w+)", page, re.MULTILINE))
    classes = [getattr(estimators, name) for name in estimators.__all__]
    for cls in classes:
        if hasattr(cls, "get_config") and dataclasses.is_dataclass(cls):
            assert cls.__name__ in listed


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: FreeBits(-0.1), ValueError, "`nats` must be a finite number, at least 0. Received: nats=-0.1"),
        (lambda: FreeBits(0.1, float("nan")), ValueError, "`beta` must be a finite number"),
        (lambda: FreeBits("much"), ValueError, "`nats` must be a finite number"),
        (lambda: Capacity(1.0, 0.0), ValueError, "`gamma` must be above 0.*Received: gamma=0.0"),
        (lambda: Capacity(float("inf"), 1.0), ValueError, "`capacity` must be a finite number"),
        (lambda: small_vae("free bits"), TypeError, r"FreeBits\(0.1\).*BetaSchedule.*Received: beta='free bits'"),
        (lambda: small_vae(None), TypeError, "`beta` must be a number or a KL weighting.*Received: beta=None"),
        (lambda: small_vae("0.5"), TypeError, "`beta` must be a number or a KL weighting"),
        (lambda: small_vae([0.5, 1.0]), TypeError, "`beta` must be a number or a KL weighting"),
        (lambda: small_vae(float("nan")), ValueError, "`beta` must be a finite number, at least 0. Received: beta=nan"),
        (lambda: small_vae(-1.0), ValueError, "`beta` must be a finite number, at least 0. Received: beta=-1.0"),
        (lambda: FreeBits(True), ValueError, "`nats` must be a finite number"),
    ],
)
def test_bad_arguments_are_one_clear_error(make, error, message):
    with pytest.raises(error, match=message):
        make()

"""Estimators as a part of a VAE: training, files, baselines, dreams, and what they refuse."""

import json
import math
import numbers

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

import tfvae
from tfvae.estimators import (
    CIWAE,
    MIWAE,
    PIWAE,
    SGVB,
    VIMCO,
    Capacity,
    DReG,
    FreeBits,
    ImportanceWeighted,
    Problem,
    Renyi,
    ReweightedWakeSleep,
    RunningMean,
    ScoreFunction,
    StickingTheLanding,
    WakeSleep,
)
from tfvae.layers import IndependentBernoulli, MixtureSameFamily, MultivariateNormalDiag, OneHotCategorical
from tfvae.models import VAE

tfd = tfp.distributions
DATA, LATENT = 6, 3

ESTIMATORS = [
    SGVB(2, kl="monte_carlo"),
    StickingTheLanding(2),
    ImportanceWeighted(3, num_samples=2, chunk_size=2),
    DReG(3, num_samples=2),
    MIWAE(2, 3),
    PIWAE(2, 3),
    CIWAE(3, elbo_weight=0.25),
    Renyi(0.3, 4),
    Renyi(-math.inf, 4),
    ScoreFunction(2),
    ScoreFunction(2, kl="monte_carlo", baseline=RunningMean(0.8)),
    VIMCO(3),
    ReweightedWakeSleep(3),
    ReweightedWakeSleep(3, encoder_phase="both"),
    WakeSleep(2),
]


def images(num_examples=8, seed=0):
    """Pixels that go together: every image is one of two patterns, with some noise."""
    rng = np.random.default_rng(seed)
    patterns = np.array([[1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 1, 0]])[rng.integers(0, 2, num_examples)]
    return np.where(rng.random(patterns.shape) < 0.05, 1 - patterns, patterns).astype("float32")


def make_vae(estimator, *, discrete=False, beta=1.0):
    keras.utils.set_random_seed(3)
    family = IndependentBernoulli((LATENT,)) if discrete else MultivariateNormalDiag(LATENT)
    encoder = keras.Sequential([keras.layers.Dense(family.params_size(LATENT)), family])
    decoder = keras.Sequential([keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(DATA)])
    decoder.add(IndependentBernoulli((DATA,)))
    prior = tfd.Independent(tfd.Bernoulli(logits=tf.zeros(LATENT), dtype=tf.float32), 1) if discrete else None
    return VAE(encoder, decoder, prior, estimator, beta=beta, seed=4)


@pytest.fixture(scope="module")
def plain():
    """For what changes nothing of it."""
    return make_vae(None)


def learned_baseline():
    return keras.Sequential([keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)])


# Training ----------------------------------------------------------------------------------------------------------


WITH_LEARNED_BASELINE, WAKE_SLEEP = ScoreFunction(baseline=learned_baseline()), ESTIMATORS[-2]


@pytest.mark.parametrize(
    "estimator",
    slow_except([*ESTIMATORS, WITH_LEARNED_BASELINE], WITH_LEARNED_BASELINE, WAKE_SLEEP),
    ids=repr,
)
def test_a_step_moves_every_weight(estimator):
    vae = make_vae(estimator)
    vae.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    before = [weight.numpy() for weight in vae.trainable_variables]
    history = vae.fit(images(4), verbose=0).history
    assert np.all(np.isfinite([history[name] for name in ("loss", "elbo", "log_likelihood", "kl")]))
    for weight, old in zip(vae.trainable_variables, before, strict=True):
        assert np.any(weight.numpy() != old), weight.path


@pytest.mark.parametrize(
    ("estimator", "jit_compile"),
    [
        (ScoreFunction(4, baseline=RunningMean()), False),
        pytest.param(ReweightedWakeSleep(4, "both"), True, marks=pytest.mark.slow),
    ],
    ids=repr,
)
def test_training_raises_the_bound(estimator, jit_compile):
    """Of a model with discrete latents, in a graph and in one XLA program a step."""
    x = images(64)
    vae = make_vae(estimator, discrete=True)
    vae.compile(keras.optimizers.Adam(0.05), jit_compile=jit_compile)
    before = np.mean(vae.elbo(x, num_samples=50, seed=1))
    history = vae.fit(x, batch_size=32, epochs=20, verbose=0).history
    # Uniform pixels are 6 log 2 = 4.2 nats; two patterns with their noise 1.9. A third of that way is learning.
    assert np.mean(vae.elbo(x, num_samples=50, seed=1)) > before + 0.7
    assert history["elbo"][-1] > history["elbo"][0] + 0.7


@pytest.mark.slow  # test_multi_sample asks it of the estimators themselves
def test_the_reported_bound_does_not_follow_beta():
    x = tf.constant(images())
    for estimator in (SGVB(), DReG(3)):
        vae = make_vae(estimator)
        one = vae.estimate(x, seed=5)
        vae.beta.assign(0.2)
        other = vae.estimate(x, seed=5)
        np.testing.assert_array_equal(one.bound, other.bound)
        assert np.all(one.surrogate_loss != other.surrogate_loss)


# Baselines ---------------------------------------------------------------------------------------------------------


def test_running_mean_moves_in_training_only():
    baseline = RunningMean(0.8)
    vae = make_vae(ScoreFunction(baseline=baseline), beta=0.5)
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    vae.evaluate(images(), batch_size=4, verbose=0)
    vae.estimate(images(), training=False)
    assert float(baseline.weight.value) == 0.0
    history = vae.fit(images(), batch_size=8, epochs=2, verbose=0).history
    signals = np.array(history["log_likelihood"]) - 0.5 * np.array(history["kl"])
    # One batch an epoch, so that the history has every step.
    np.testing.assert_allclose(baseline.total.value, 0.2 * (0.8 * signals[0] + signals[1]), rtol=1e-5)
    np.testing.assert_allclose(baseline.weight.value, 1 - 0.8**2, rtol=1e-6)
    after = float(baseline.total.value)
    vae.evaluate(images(), verbose=0)
    assert float(baseline.total.value) == after
    assert not any(weight is baseline.total for weight in vae.trainable_variables)


@pytest.mark.slow
def test_learned_baseline_learns_and_survives_a_file(tmp_path):
    baseline = learned_baseline()
    vae = make_vae(ScoreFunction(2, baseline=baseline))
    names = {id(weight) for weight in vae.trainable_variables}
    assert baseline.built
    assert all(id(weight) in names for weight in baseline.trainable_weights)
    assert len(vae.trainable_variables) == len(names)
    vae.compile(keras.optimizers.Adam(0.05), jit_compile=False)
    x = images(64)

    def off(vae):
        estimate = vae.estimate(x, seed=1)
        return np.mean((np.squeeze(vae.estimator.baseline(x), 1) - (estimate.log_likelihood - estimate.kl)) ** 2)

    before = off(vae)
    vae.fit(x, batch_size=32, epochs=20, verbose=0)
    assert off(vae) < 0.5 * before

    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    assert isinstance(loaded.estimator, ScoreFunction)
    assert loaded.estimator.num_samples == 2
    np.testing.assert_array_equal(loaded.estimator.baseline(x), baseline(x))
    assert len(loaded.trainable_variables) == len(vae.trainable_variables)
    estimates = (tf.nest.flatten(model.estimate(x, seed=2)) for model in (loaded, vae))
    for ours, theirs in zip(*estimates, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    loaded.compile(keras.optimizers.Adam(0.05), run_eagerly=True)
    loaded.fit(x, batch_size=64, epochs=1, verbose=0)
    assert np.any(loaded.estimator.baseline(x) != baseline(x))


@pytest.mark.slow
def test_running_mean_survives_a_file(tmp_path):
    vae = make_vae(ScoreFunction(baseline=RunningMean(0.7)))
    vae.estimate(images(), training=True)
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras").estimator.baseline
    assert loaded.decay == 0.7
    np.testing.assert_array_equal(loaded(images(2)), vae.estimator.baseline(images(2)))
    assert float(loaded(images(1))[0]) < -1.0


def test_sleep_asks_the_encoder_about_dreams(monkeypatch):
    vae, asked = make_vae(WakeSleep()), []
    infer = vae.infer

    def recorded(x, **kwargs):
        asked.append((x.numpy(), infer(x, **kwargs)))
        return asked[-1][1]

    monkeypatch.setattr(vae, "infer", recorded)
    x = images(5)
    kernel = vae.encoder.layers[0].kernel.value
    with tf.GradientTape(persistent=True) as tape:
        loss = tf.reduce_mean(vae.estimate(x, seed=6).surrogate_loss)
        (data, of_data), (dreams, of_dreams) = asked
        summaries = [tf.reduce_sum(q.mean()) for q in (of_data, of_dreams)]
    np.testing.assert_array_equal(data, x)
    assert dreams.shape == x.shape
    assert set(np.unique(dreams)) == {0.0, 1.0}
    assert np.any(dreams != x)
    # Of the loss the encoder's mean has a gradient through the dreams alone.
    assert all(tape.gradient(summary, kernel) is not None for summary in summaries)
    assert tape.gradient(loss, of_data.mean()) is None or not np.any(tape.gradient(loss, of_data.mean()))
    assert np.any(tape.gradient(loss, kernel) != 0)


# Configurations ----------------------------------------------------------------------------------------------------


def test_configurations_through_json():
    for estimator in ESTIMATORS:
        config = json.dumps(keras.saving.serialize_keras_object(estimator), allow_nan=False)
        again = keras.saving.deserialize_keras_object(json.loads(config))
        assert type(again) is type(estimator)
        assert repr(again) == repr(estimator)
        assert json.dumps(again.get_config()) == json.dumps(estimator.get_config()) or estimator.layers
        direct = type(estimator).from_config(json.loads(json.dumps(estimator.get_config())))
        assert repr(direct) == repr(estimator)


IN_FILES = [Renyi(-math.inf, 4), ReweightedWakeSleep(2, "sleep")]


@pytest.mark.parametrize("estimator", slow_except(IN_FILES, IN_FILES[0]), ids=repr)
def test_files(tmp_path, estimator):
    vae = make_vae(estimator)
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    assert loaded.estimator == estimator
    estimates = (tf.nest.flatten(model.estimate(images(), seed=2)) for model in (loaded, vae))
    for ours, theirs in zip(*estimates, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_numbers_of_numpy_are_plain_ones():
    for estimator, plain in (
        (CIWAE(np.int64(3), np.float32(0.5)), CIWAE(3, 0.5)),
        (Renyi(np.float32(0.5), np.int32(2)), Renyi(0.5, 2)),
        (Renyi(np.int64(2)), Renyi(2.0)),
        (DReG(np.int64(3), np.int64(2)), DReG(3, 2)),
        (ImportanceWeighted(4, chunk_size=np.int64(2)), ImportanceWeighted(4, chunk_size=2)),
        (FreeBits(np.float32(0.25), np.int64(1)), FreeBits(0.25, 1)),
        (Capacity(np.int64(5), np.float64(2.0)), Capacity(5, 2.0)),
        (RunningMean(np.float32(0.5)), RunningMean(0.5)),
    ):
        config = estimator.get_config()
        assert all(type(value) in (int, float, bool) for value in config.values() if isinstance(value, numbers.Real))
        assert json.dumps({**config, "name": None}) == json.dumps({**plain.get_config(), "name": None})


# What they refuse --------------------------------------------------------------------------------------------------

PATHWISE = [SGVB, StickingTheLanding, ImportanceWeighted, DReG, MIWAE, PIWAE, CIWAE, Renyi]
SCORES = [ScoreFunction, VIMCO, ReweightedWakeSleep, WakeSleep]


def mixture_encoder():
    layer = MixtureSameFamily(2, MultivariateNormalDiag(LATENT))
    size = MixtureSameFamily.params_size(2, MultivariateNormalDiag.params_size(LATENT))
    return keras.Sequential([keras.layers.Dense(size), layer])


def one_hot_encoder():
    return keras.Sequential([keras.layers.Dense(LATENT), OneHotCategorical(LATENT)])


def vae_without_a_path(encoder, estimator):
    prior = tfd.OneHotCategorical(logits=tf.zeros(LATENT), dtype=tf.float32) if encoder is one_hot_encoder else None
    decoder = keras.Sequential([keras.layers.Dense(DATA), IndependentBernoulli((DATA,))])
    return VAE(encoder(), decoder, prior, estimator, seed=1)


@pytest.mark.parametrize("encoder", [mixture_encoder, one_hot_encoder])
def test_a_posterior_without_a_path(encoder):
    vae = vae_without_a_path(encoder, None)
    for estimator in PATHWISE:
        with pytest.raises(ValueError, match=r"ScoreFunction.*VIMCO") as caught:
            vae.estimate(images(), estimator=estimator())
        assert estimator.__name__ in str(caught.value)
        assert "reparameterised" in str(caught.value)
    for estimator in SCORES:
        estimate = vae.estimate(images(), estimator=estimator(), seed=1)
        assert np.all(np.isfinite(estimate.surrogate_loss)), estimator


def test_fit_refuses_a_posterior_without_a_path():
    vae = vae_without_a_path(one_hot_encoder, None)
    vae.compile(run_eagerly=True)
    with pytest.raises(ValueError, match=r"SGVB.*ScoreFunction.*VIMCO"):
        vae.fit(images(), verbose=0)


@pytest.mark.parametrize("estimator", [SGVB(kl="analytic"), ScoreFunction(kl="analytic")], ids=repr)
def test_an_analytic_kl_that_does_not_exist(plain, estimator):
    x = tf.constant(images())
    laplace = tfd.Independent(tfd.Laplace(tf.zeros([8, LATENT]), tf.ones([8, LATENT])), 1)
    prior = tfd.MultivariateNormalDiag(tf.zeros(LATENT))
    with pytest.raises(NotImplementedError, match=r"No closed form.*monte_carlo.*Received: posterior=.*Laplace"):
        estimator(Problem(x, laplace, prior, plain.generate))
    if isinstance(estimator, ScoreFunction):  # a discrete posterior, and a prior that knows of dependence
        bits = tfd.Independent(tfd.Bernoulli(logits=tf.zeros([8, LATENT]), dtype=tf.float32), 1)
        components = tfd.Independent(tfd.Bernoulli(logits=tf.eye(LATENT), dtype=tf.float32), 1)
        mixture = tfd.MixtureSameFamily(tfd.Categorical(logits=tf.zeros(LATENT)), components)
        with pytest.raises(NotImplementedError, match=r"No closed form.*monte_carlo.*prior=.*Mixture"):
            estimator(Problem(x, bits, mixture, plain.generate))
        assert ScoreFunction()(Problem(x, bits, mixture, plain.generate)).bound.shape == (8,)


@pytest.mark.parametrize("count", [0, -3, 2.5, True, "4", None])
def test_impossible_counts(count):
    for estimator in (ImportanceWeighted, DReG, MIWAE, PIWAE, CIWAE, Renyi, VIMCO, ReweightedWakeSleep):
        with pytest.raises(ValueError, match="`num_importance_samples` must be an integer of at least") as caught:
            estimator(num_importance_samples=count)
        assert repr(count) in str(caught.value)
    for estimator in (SGVB, StickingTheLanding, ImportanceWeighted, DReG, ScoreFunction, WakeSleep):
        with pytest.raises(ValueError, match="`num_samples` must be an integer of at least 1"):
            estimator(num_samples=count)
    for estimator in (MIWAE, PIWAE):
        with pytest.raises(ValueError, match="`num_bounds` must be an integer of at least 1"):
            estimator(num_bounds=count)
    if count is not None:
        for estimator in (ImportanceWeighted, DReG, MIWAE, PIWAE, CIWAE, Renyi, VIMCO, ReweightedWakeSleep):
            with pytest.raises(ValueError, match="`chunk_size` must be an integer of at least 1"):
                estimator(chunk_size=count)


def test_impossible_arguments(plain):
    with pytest.raises(ValueError, match=r"at least 2\. Received: num_importance_samples=1"):
        VIMCO(1)
    for share in (-0.1, 1.1, math.nan, "a", None):
        with pytest.raises(ValueError, match="`elbo_weight` must be a finite number, at least 0 and at most 1"):
            CIWAE(3, elbo_weight=share)
    for order in (math.nan, math.inf, "abc", None, True):
        with pytest.raises(ValueError, match="`alpha` must be a number, or -inf"):
            Renyi(order)
    with pytest.raises(ValueError, match=r"'wake', 'sleep' or 'both'. Received: encoder_phase='dream'"):
        ReweightedWakeSleep(3, "dream")
    with pytest.raises(ValueError, match="`kl` must be 'auto'"):
        ScoreFunction(kl="exact")
    for decay in (1.0, -0.1, math.nan, "a"):
        with pytest.raises(ValueError, match="`decay` must be a finite number"):
            RunningMean(decay)
    for baseline in ("mean", 3.0, RunningMean, lambda x: x):
        with pytest.raises(
            TypeError, match=r"`baseline` must be None, tfvae.estimators.RunningMean.*Received: baseline="
        ):
            ScoreFunction(baseline=baseline)
    problem = plain.problem(tf.constant(images()))._replace(infer=None)
    for estimator in (WakeSleep(), ReweightedWakeSleep(3, "sleep")):
        with pytest.raises(ValueError, match="Received: infer=None"):
            estimator(problem)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (DReG, r"must be an object, not a class. Use DReG\(\). Received: estimator=DReG"),
        ("sgvb", r"tfvae.estimators, such as SGVB\(\).*Received: estimator='sgvb'"),
        (5, "Received: estimator=5"),
    ],
)
def test_what_is_no_estimator(plain, estimator, message):
    with pytest.raises(TypeError, match=message):
        make_vae(estimator)
    with pytest.raises(TypeError, match=message):
        plain.estimate(images(), estimator=estimator)


def test_a_baseline_of_several_numbers_an_example():
    vae = make_vae(ScoreFunction(baseline=keras.Sequential([keras.layers.Dense(3)], name="critic")))
    message = r"one number per example.*Received: values of shape \(8, 3\) from baseline='critic'"
    with pytest.raises(ValueError, match=message):
        vae.estimate(images())
    vae.compile(run_eagerly=True)
    with pytest.raises(ValueError, match="one number per example"):
        vae.fit(images(), verbose=0)

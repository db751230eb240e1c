"""The paper's model and training, on the digits."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae import estimators
from tfvae.papers.kingma_welling_2013.algorithm_1 import ESTIMATORS, AlgorithmOne, build_vae
from tfvae.papers.kingma_welling_2013.training import bound


@pytest.fixture(scope="module")
def train(digits):
    return digits.train.thresholded()


def make_vae(train, likelihood="bernoulli", estimator="aevb", **changes):
    sizes = {"latent_size": 3, "hidden": 40, "num_train": len(train), "seed": 0, **changes}
    return build_vae(train.event_shape, likelihood=likelihood, estimator=ESTIMATORS[estimator], **sizes)


@pytest.fixture(scope="module")
def learner(train):
    """For tests that begin with a restart: its step is traced once."""
    return AlgorithmOne(make_vae(train), train, seed=3, jit_compile=False)


@pytest.mark.parametrize("likelihood", ["bernoulli", "normal"])
def test_first_weights_are_drawn_with_variance_a_hundredth(train, likelihood):
    vae = make_vae(train, likelihood, hidden=300)
    weights = np.concatenate([np.ravel(weight) for weight in vae.trainable_variables])
    assert len({weight.numpy().flat[0] for weight in vae.trainable_variables}) == len(vae.trainable_variables)
    np.testing.assert_allclose(weights.mean(), 0.0, atol=5 * 0.1 / weights.size**0.5)
    np.testing.assert_allclose(weights.var(), 0.01, rtol=5 * (2 / weights.size) ** 0.5)


def test_a_diverged_model_has_no_bound(train):
    vae = make_vae(train)
    assert bound(vae, train.take(20), batch_size=10, seed=0).mean < 0.0
    vae.trainable_variables[0].assign(np.nan * vae.trainable_variables[0])
    assert bound(vae, train.take(20), batch_size=10, seed=0) is None


def test_gaussian_means_lie_between_zero_and_one(train):
    vae = make_vae(train, "normal")
    for weight in vae.decoder.trainable_variables:
        weight.assign(100.0 * weight)
    mean = vae.decode(np.random.default_rng(0).normal(size=(5, 3)).astype("float32")).mean().numpy()
    assert 0.0 <= mean.min() < 0.5 < mean.max() <= 1.0


def test_loss_is_the_negative_of_algorithm_1s_objective_divided_by_n(train):
    vae, x, seed = make_vae(train), tf.constant(train.x[:100]), tf.constant([1, 2])
    bound = vae.estimate(x, seed=seed).bound
    log_prior = sum(np.sum(-0.5 * weight.numpy() ** 2) for weight in vae.trainable_variables)  # N(0, I), unnormalised
    objective = len(train) * np.mean(bound) + log_prior
    loss = -np.mean(vae.estimate(x, seed=seed).bound) + float(sum(vae.losses))
    np.testing.assert_allclose(loss, -objective / len(train), rtol=1e-5)


def test_first_step_of_adagrad_is_the_sign_of_the_gradient(learner):
    learner.restart(0.02)
    before = [weight.numpy() for weight in learner.vae.trainable_variables]
    learner.advance(100)
    moved = [after.numpy() - first for first, after in zip(before, learner.vae.trainable_variables, strict=True)]
    steps = np.abs(np.concatenate([np.ravel(step) for step in moved]))
    np.testing.assert_allclose(steps[steps > 0], 0.02, rtol=1e-3)
    assert np.mean(steps > 0) > 0.9


# Without XLA, two graphs of wake-sleep's step can add up the same numbers in another order (TensorFlow's dependency
# optimizer), and Adagrad makes much of the last bit in its first steps.
@pytest.mark.parametrize(
    ("estimator", "jit_compile"), [("aevb", False), pytest.param("wake_sleep", True, marks=pytest.mark.slow)]
)
def test_goes_on_bit_for_bit(train, learner, tmp_path, estimator, jit_compile):
    if estimator != "aevb":
        learner = AlgorithmOne(make_vae(train, estimator=estimator), train, seed=3, jit_compile=jit_compile)
    learner.restart(0.1)
    learner.advance(1_000)
    learner.restart(0.02)
    learner.advance(2_000)
    learner.save(tmp_path)
    learner.advance(3_000)
    expected = learner.vae.get_weights()
    other = AlgorithmOne(make_vae(train, estimator=estimator), train, seed=3, jit_compile=jit_compile)
    other.restart(0.02)
    other.load(tmp_path)
    other.advance(3_000)
    for a, b in zip(expected, other.vae.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_learning_rate_of_a_saved_model_is_kept(learner, tmp_path):
    learner.restart(0.1)
    learner.save(tmp_path)
    learner.restart(0.01)
    learner.load(tmp_path)
    np.testing.assert_allclose(learner.vae.optimizer.learning_rate, 0.1)


def test_training_raises_the_bound(train, learner):
    learner.restart(0.1)
    before = np.mean(learner.vae.elbo(train.x, num_samples=5, seed=0))
    learner.advance(30_000)
    assert np.mean(learner.vae.elbo(train.x, num_samples=5, seed=0)) > before + 15.0


def test_estimators_are_the_papers():
    assert isinstance(ESTIMATORS["wake_sleep"], estimators.WakeSleep)
    assert [ESTIMATORS[name].kl for name in ("aevb_a", "aevb")] == ["monte_carlo", "analytic"]
    assert all(getattr(estimator, "num_samples", 1) == 1 for estimator in ESTIMATORS.values())

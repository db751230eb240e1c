"""Conditional models, held to a linear-Gaussian one."""

import keras
import numpy as np
import pytest
from class_models import class_vae
from conditional_gaussian import MODEL, A, U, exact_vae, log_marginal, sample_data
from small_models import random_bits

import tfvae
from tfvae import layers


@pytest.fixture(scope="module")
def vae():
    return exact_vae()


@pytest.fixture(scope="module")
def data():
    return sample_data(7)


def test_bounds_are_those_of_p_of_x_given_the_condition(vae, data):
    x, c = data
    assert vae.condition_shape == (3,)
    expected = log_marginal(x, c)
    assert np.ptp(expected - MODEL.log_marginal(x)) > 1.0, "the condition matters"
    for found in (vae.elbo(x, condition=c, seed=3), vae.elbo({"x": x, "condition": c}, num_samples=2)):
        # The KL is exact, and log p(x|z) of a draw is not.
        assert found.shape == (7,)
    estimator = tfvae.estimators.SGVB(kl="monte_carlo")
    batch = vae.batch_of({"x": x, "condition": c})
    np.testing.assert_allclose(vae.estimate(batch, estimator=estimator, seed=2).bound, expected, rtol=1e-4)
    iwae = vae.estimate(batch, estimator=tfvae.estimators.ImportanceWeighted(3), seed=2).bound
    np.testing.assert_allclose(iwae, expected, rtol=1e-4)
    given = {"x": x, "condition": c}
    record = tfvae.evaluation.log_marginal(vae, given, num_importance_samples=4, batch_size=3)
    np.testing.assert_allclose(record.per_example, expected, rtol=1e-4)
    measured = tfvae.evaluation.elbo(vae, given, num_samples=3)
    assert measured.mean == pytest.approx(expected.mean(), abs=5 * measured.monte_carlo_standard_error)
    assert tfvae.evaluation.active_units(vae, given).num_active == 2


def test_draws_follow_the_condition(vae, data):
    x, c = data
    one = vae.sample(4000, condition=c[0], seed=1).numpy()
    mean = MODEL.weights @ A @ c[0] + U @ c[0] + MODEL.bias
    error = one.std(axis=0) / np.sqrt(len(one))
    assert (np.abs(one.mean(axis=0) - mean) < 5 * error).all()
    each = vae.sample(7, condition=c, seed=1)
    assert each.shape == (7, 4)
    np.testing.assert_array_equal(
        vae.sample(7, condition=np.tile(c[0], (7, 1)), seed=1), vae.sample(7, condition=c[0], seed=1)
    )
    z = vae.encode(x, condition=c).mean()
    np.testing.assert_allclose(vae.decode(z, condition=c).mean(), z @ MODEL.weights.T + c @ U.T + MODEL.bias, rtol=1e-4)
    assert vae.decode(np.zeros((5, 7, 2)), condition=c).mean().shape == (5, 7, 4)
    assert vae.reconstruct(x, condition=c, seed=1).shape == x.shape


@pytest.fixture(scope="module")
def classes():
    return class_vae()


def test_it_trains_is_saved_and_served_by_keras(tmp_path):
    labels = np.arange(400) % 4
    x = np.repeat(np.eye(4, dtype="float32")[labels][:, :, np.newaxis], 2, axis=2)  # the class is all there is
    vae = class_vae()
    given = {"x": x, "condition": labels}
    history = vae.fit(given, batch_size=20, epochs=4, validation_data=given, verbose=0).history
    assert history["val_elbo"][-1] > history["val_elbo"][0] + 1.0
    assert float(vae.decode(np.zeros((1, 2)), condition=2).mean()[0, 2, 0]) > 0.5
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(loaded.elbo(x, condition=labels, seed=1), vae.elbo(x, condition=labels, seed=1))
    assert vae.predict({"x": x[:3], "condition": np.eye(4, dtype="float32")[:3]}, verbose=0).shape == (3, 4, 2)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (lambda vae, x: vae.encode(x), r"needs a condition of shape \(B, 4\)"),
        (lambda vae, x: vae.fit(x, verbose=0), "needs a condition"),
        (lambda vae, x: vae.encode(x, condition=[0, 7, 1]), r"one of the 4 classes 0 to 3.*condition=7"),
        (lambda vae, x: vae.encode(x, condition=np.zeros((3, 5))), r"must have shape \(B, 4\)"),
        (lambda vae, x: vae.encode(x, condition=[0, 1]), r"one for each of the 3"),
        (lambda vae, x: vae.fit({"x": x, "condition": np.array([0, 1, 4])}, verbose=0), "condition=4"),
        (lambda vae, x: tfvae.evaluation.inference_gaps(vae, x), "needs a condition"),
    ],
)
def test_what_does_not_fit_is_one_error(classes, question, message):
    with pytest.raises(ValueError, match=message):
        question(classes, random_bits(3, (4, 2)))


def test_a_model_without_a_condition_refuses_one():
    plain = tfvae.models.VAE(
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), layers.IndependentNormal(1)]),
        keras.Sequential([keras.layers.Dense(3), layers.IndependentBernoulli((3,))]),
    )
    with pytest.raises(ValueError, match="takes no condition"):
        plain.elbo(np.zeros((2, 3), "float32"), condition=[0, 1])
    other = tfvae.priors.Conditional(
        keras.Sequential([keras.Input((5,)), keras.layers.Dense(4), layers.MultivariateNormalDiag(2)])
    )
    with pytest.raises(ValueError, match="conditions of one shape"):
        class_vae(prior=other)
    with pytest.raises(ValueError, match="depends on a condition"):
        other.distribution()


def test_tensorboard_writes_scalars(tmp_path):
    board = tfvae.callbacks.VAETensorBoard(tmp_path / "logs")
    given = {"x": random_bits(4, (4, 2)), "condition": np.arange(4)}
    vae = class_vae()
    vae.fit(given, epochs=1, verbose=0, callbacks=[board], validation_data=given)
    assert list((tmp_path / "logs").glob("validation/events.*"))

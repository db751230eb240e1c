"""M1+M2: two trained models joined to one, held to the two."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_models import random_bits, small_vae

import tfvae
from tfvae import layers
from tfvae.data import Split
from tfvae.models.styles import all_classes, example_styles
from tfvae.recipes import latent_split, m2, stacked

NUM_CLASSES, SHAPE = 3, (4, 2)
X = random_bits(6, SHAPE)
LABELS = np.array([0, -1, 2, -1, 1, -1])


def second_model(size=2):
    keras.utils.set_random_seed(3)
    dense = keras.layers.Dense
    return m2(
        event_shape=(size,),
        num_classes=NUM_CLASSES,
        features=keras.Sequential([dense(5, activation="tanh")]),
        classifier=dense(NUM_CLASSES),
        encoder=keras.Sequential([dense(6, activation="tanh"), dense(6)]),
        posterior=layers.MultivariateNormalDiag(3),
        decoder=keras.Sequential([dense(6, activation="tanh"), dense(2 * size)]),
        likelihood=layers.MultivariateNormalDiag(size),
        estimator=tfvae.estimators.Enumerated(classification_weight=2.0),
        seed=1,
    )


@pytest.fixture(scope="module")
def models():
    first, second = small_vae(), second_model()
    return first, second, stacked(first, second, seed=0)


def test_the_joint_density_is_that_of_both_models(models):
    first, second, vae = models
    y, z1, z2 = tf.one_hot([0, 1, 2, 0, 1, 2], 3), tf.random.normal((6, 2), seed=1), tf.random.normal((6, 3), seed=2)
    latents = {"y": y, "z1": z1, "z2": z2}
    np.testing.assert_allclose(vae.decode(latents).log_prob(X), first.decode(z1).log_prob(X), rtol=1e-5)
    upper = {"y": y, "z": z2}
    expected = second.prior.distribution().log_prob(upper) + second.decode(upper).log_prob(z1)
    np.testing.assert_allclose(vae.prior.distribution().log_prob(latents), expected, rtol=1e-5)
    q, of_x = vae.encode(X), first.encode(X)
    conditionals, _ = q.sample_distributions(value=latents, seed=(0, 0))
    np.testing.assert_allclose(conditionals["y"].mean(), second.classify(of_x.mean()), rtol=1e-5)
    np.testing.assert_allclose(conditionals["z1"].log_prob(z1), of_x.log_prob(z1), rtol=1e-5)
    of_z1, _ = second.encode(z1).sample_distributions(value={"y": y}, seed=(0, 0))
    np.testing.assert_allclose(conditionals["z2"].log_prob(z2), of_z1["z"].log_prob(z2), rtol=1e-5)


def test_it_classifies_samples_and_is_saved(models, tmp_path):
    first, second, vae = models
    np.testing.assert_allclose(vae.classify(X), second.classify(first.encode(X).mean()), rtol=1e-5)
    vae.save(tmp_path / "m1m2.keras")
    loaded = tfvae.load_model(tmp_path / "m1m2.keras")
    np.testing.assert_array_equal(loaded.classify(X), vae.classify(X))
    np.testing.assert_array_equal(loaded.sample(5, label=2, seed=0), vae.sample(5, label=2, seed=0))
    assert len(loaded.trainable_variables) == len(vae.trainable_variables)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:log_marginal is unreliable")
def test_its_bound_is_below_log_p(models):
    _, _, vae = models
    record = tfvae.evaluation.log_marginal(vae, X, num_importance_samples=2000, seed=1)
    bound = np.mean([vae.estimate(vae.batch_of(X), seed=s).bound for s in range(20)], axis=0)
    assert (bound < record.per_example).all()


@pytest.mark.slow
def test_the_whole_is_trained_further(models):
    _, _, vae = models
    vae.compile("adam", jit_compile=False)
    before = vae.get_weights()
    vae.fit(X, LABELS, batch_size=6, epochs=2, verbose=0)
    assert sum(np.any(a != b) for a, b in zip(before, vae.get_weights(), strict=True)) > 12


def test_a_second_model_of_other_data_is_an_error(models):
    with pytest.raises(ValueError, match="latents of the first"):
        stacked(models[0], second_model(size=4))
    with pytest.raises(ValueError, match="latents of the first"):
        stacked(models[0], models[0])


def test_latent_split_draws_from_the_posterior(models):
    first = models[0]
    drawn = latent_split(first, Split(X, LABELS), num_draws=400, seed=3)
    assert drawn.event_shape == (2,)
    np.testing.assert_array_equal(drawn.labels, np.tile(LABELS, 400))
    draws, q = drawn.x.reshape(400, 6, 2), first.encode(X)
    scores = (draws - q.mean().numpy()) / q.stddev().numpy()
    assert (np.abs(scores.mean(axis=0)) < 5 / np.sqrt(400)).all()
    assert (np.abs(scores.var(axis=0) - 1) < 5 * np.sqrt(2 / 400)).all()
    assert latent_split(first, Split(X)).labels is None


def test_the_style_in_another_class_is_z2(models):
    _, second, vae = models
    columns = all_classes(vae)
    found = example_styles(vae, vae.batch_of(X), columns, seed=(0, 0))
    z2 = tf.reshape(found.z["z2"], [6, 3, 3])
    np.testing.assert_array_equal(z2[:, 0], z2[:, 2])
    expected = second.decode({"y": found.z["y"], "z": found.z["z2"]}).mean()
    np.testing.assert_allclose(found.z["z1"], expected, rtol=1e-5)

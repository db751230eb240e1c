"""M2 built from its parts: the model of docs/semi-supervised.md, saved and loaded."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_models import random_bits

import tfvae
from tfvae import layers, priors
from tfvae.estimators import Enumerated
from tfvae.recipes import m2

NUM_CLASSES, LATENT_SIZE, SHAPE = 3, 2, (2, 3)
X = random_bits(5, SHAPE)
LABELS = np.array([0, -1, 2, -1, 1])


def small_m2(**parts):
    keras.utils.set_random_seed(3)
    dense = keras.layers.Dense
    given = {
        "event_shape": SHAPE,
        "num_classes": NUM_CLASSES,
        "features": keras.Sequential([keras.layers.Flatten(), dense(7, activation="tanh")]),
        "classifier": dense(NUM_CLASSES),
        "encoder": keras.Sequential([dense(6, activation="tanh"), dense(2 * LATENT_SIZE)]),
        "posterior": layers.MultivariateNormalDiag(LATENT_SIZE),
        "decoder": keras.Sequential([dense(6, activation="tanh"), dense(6)]),
        "likelihood": layers.IndependentBernoulli(SHAPE),
        "estimator": Enumerated(classification_weight=2.0),
        "seed": 1,
        **parts,
    }
    return m2(**given)


def by_hand():
    """The same model as in docs/semi-supervised.md."""
    dense = keras.layers.Dense
    classifier = keras.Sequential([dense(NUM_CLASSES), layers.OneHotCategorical(NUM_CLASSES)])
    of_z = keras.Sequential(
        [dense(6, activation="tanh"), dense(2 * LATENT_SIZE), layers.MultivariateNormalDiag(LATENT_SIZE)]
    )
    encoder = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            dense(7, activation="tanh"),
            layers.Joint({"y": classifier, "z": of_z}),
        ]
    )
    y, z = keras.Input((NUM_CLASSES,), name="y"), keras.Input((LATENT_SIZE,), name="z")
    decoded = dense(6)(dense(6, activation="tanh")(keras.layers.Concatenate()([y, z])))
    decoder = keras.Model({"y": y, "z": z}, layers.IndependentBernoulli(SHAPE)(decoded))
    prior = priors.Joint({"y": priors.Categorical(NUM_CLASSES), "z": priors.StandardNormal(LATENT_SIZE)})
    return tfvae.models.VAE(encoder, decoder, prior, Enumerated(classification_weight=2.0), seed=1)


def test_it_equals_the_model_built_by_hand():
    vae, other = small_m2(), by_hand()
    assert [v.shape for v in vae.trainable_variables] == [v.shape for v in other.trainable_variables]
    for mine, its in zip(vae.trainable_variables, other.trainable_variables, strict=True):
        mine.assign(its)
    np.testing.assert_allclose(vae.classify(X), other.classify(X), rtol=1e-6)
    found, expected = (model.estimate(model.batch_of((X, LABELS)), seed=5) for model in (vae, other))
    np.testing.assert_allclose(found.bound, expected.bound, rtol=1e-6)
    np.testing.assert_allclose(found.surrogate_loss, expected.surrogate_loss, rtol=1e-6)


def test_it_is_saved_and_loaded(tmp_path):
    vae = small_m2(label_prior=priors.Categorical(NUM_CLASSES, (0.5, 0.2, 0.3), learned=True), features=None)
    vae.save(tmp_path / "m2.keras")
    loaded = tfvae.load_model(tmp_path / "m2.keras")
    np.testing.assert_array_equal(loaded.classify(X), vae.classify(X))
    np.testing.assert_array_equal(loaded.sample(4, label=2, seed=0), vae.sample(4, label=2, seed=0))
    assert any("logits" in variable.path for variable in loaded.trainable_variables)


def test_an_encoder_with_two_inputs_gets_features_and_label_apart():
    keras.utils.set_random_seed(0)
    h, y = keras.Input((7,), name="inputs"), keras.Input((NUM_CLASSES,), name="y")
    hidden = keras.layers.Activation("tanh")(keras.layers.Add()([h, keras.layers.Dense(7, use_bias=False)(y)]))
    encoder = keras.Model({"inputs": h, "y": y}, keras.layers.Dense(2 * LATENT_SIZE)(hidden))
    vae = small_m2(encoder=encoder)
    posterior = vae.encode(X)
    one_hot = tf.one_hot([1] * len(X), NUM_CLASSES)
    of_q, _ = posterior.sample_distributions(value={"y": one_hot}, seed=(0, 0))
    body = vae.encoder.layers[1](X)
    expected = encoder({"inputs": body, "y": one_hot})
    np.testing.assert_allclose(of_q["z"].mean(), expected[:, :LATENT_SIZE], rtol=1e-5, atol=1e-6)
    assert np.isfinite(vae.estimate(vae.batch_of((X, LABELS)), seed=5).bound).all()


def test_a_posterior_of_unknown_size_is_an_error():
    posterior = layers.DistributionLambda(lambda t: tfvae.layers.MultivariateNormalDiag.new(t, 2))
    with pytest.raises(ValueError, match="known event shape"):
        small_m2(posterior=posterior)


def test_style_of_sticks(tmp_path):
    """The form of Nalisnick & Smyth: the decoder gets the label and the shares."""
    vae = small_m2(
        posterior=layers.KumaraswamySticks(LATENT_SIZE, start=3.0),
        prior=priors.StickBreaking(LATENT_SIZE, alpha0=3.0),
        latent_layer=layers.StickBreaking(),
    )
    assert vae.latent_shape == {"y": (NUM_CLASSES,), "z": (LATENT_SIZE,)}
    vae.compile("adam", jit_compile=False)
    history = vae.fit(X, LABELS, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert vae.sample(4, label=2, seed=0).shape == (4, *SHAPE)
    vae.save(tmp_path / "m2.keras")
    np.testing.assert_array_equal(tfvae.load_model(tmp_path / "m2.keras").classify(X), vae.classify(X))

"""The Hamiltonian ELBO as a part of a VAE: training, compiled loops, files, precision, and models that do not fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from slow import slow_except
from small_models import random_bits

import tfvae
from tfvae import layers, priors
from tfvae._dtype_policy import dtype_policy
from tfvae.estimators import SGVB, HamiltonianELBO

X, D = (4, 2), 3
DATA = random_bits(24, X)


def make_vae(estimator=None, *, policy="float32", posterior=layers.MultivariateNormalDiag, prior=None, **arguments):
    with dtype_policy(policy):
        keras.utils.set_random_seed(1)
        estimator = HamiltonianELBO(2, **arguments) if estimator is None else estimator
        size = posterior.params_size(D)
        encoder = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(size), posterior(D)])
        hidden = keras.layers.Dense(5, activation="tanh")
        decoder = keras.Sequential([hidden, keras.layers.Dense(8), layers.IndependentBernoulli(X)])
        return tfvae.models.VAE(encoder, decoder, prior, estimator, seed=2)


def fitted(vae, epochs=2, **arguments):
    vae.compile(keras.optimizers.Adam(0.02), **arguments)
    return vae.fit(DATA, batch_size=8, epochs=epochs, shuffle=False, verbose=0).history


@pytest.mark.parametrize("tempering", slow_except(["fixed", "free", "none"], "fixed"))
def test_a_step_moves_every_weight(tempering):
    vae = make_vae(tempering=tempering)
    dynamics = vae.estimator.layers[0]
    own = {"raw_step_size"} | ({"raw_tempering"} if tempering != "none" else set())
    assert {variable.name for variable in dynamics.trainable_variables} == own
    assert dynamics.raw_step_size.shape == (D,)
    before = [np.array(weight) for weight in vae.trainable_variables]
    assert sum(weight is dynamics.raw_step_size for weight in vae.trainable_variables) == 1
    history = fitted(vae, epochs=1, run_eagerly=True)
    assert np.all(np.isfinite([history[name] for name in ("loss", "elbo", "log_likelihood", "kl")]))
    for weight, old in zip(vae.trainable_variables, before, strict=True):
        assert np.any(weight.numpy() != old), weight.path


def test_step_sizes_that_are_not_trained():
    vae = make_vae(trainable=False, step_size=0.05)
    before = vae.estimator.layers[0].raw_step_size.numpy()
    fitted(vae, epochs=1, run_eagerly=True)
    np.testing.assert_array_equal(vae.estimator.layers[0].raw_step_size, before)
    np.testing.assert_allclose(vae.estimator.layers[0].step_size(tf.float32), 0.05, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("steps", ["auto", 1])
def test_compiled_loops_train_as_single_steps_do(steps):
    eager, compiled = make_vae(), make_vae()
    histories = [fitted(eager, run_eagerly=True), fitted(compiled, jit_compile=False, steps_per_execution=steps)]
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-5)
    for ours, theirs in zip(compiled.trainable_variables, eager.trainable_variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4, err_msg=ours.path)


@pytest.mark.parametrize("policy", slow_except(["mixed_float16", "mixed_bfloat16", "float64"], "mixed_float16"))
def test_precision(policy):
    vae = make_vae(policy=policy)
    estimate = vae.estimate(DATA, seed=3)
    assert estimate.bound.dtype == (tf.float64 if policy == "float64" else tf.float32)
    if policy != "float64":  # whose draws are others
        full = make_vae()
        full.set_weights(vae.get_weights())
        np.testing.assert_allclose(estimate.bound, full.estimate(DATA, seed=3).bound, rtol=0.02, atol=0.02)
    history = fitted(vae, epochs=1, jit_compile=False)
    assert np.isfinite(history["elbo"]).all()
    assert vae.estimator.layers[0].raw_step_size.dtype == ("float64" if policy == "float64" else "float32")


def test_a_file_keeps_step_sizes(tmp_path):
    vae = make_vae(tempering="free", num_samples=2)
    for variable in vae.estimator.layers[0].variables:
        variable.assign_add(0.2 * np.arange(variable.shape[0]))
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    assert repr(loaded.estimator) == repr(vae.estimator)
    assert loaded.estimator.layers[0].raw_step_size is not vae.estimator.layers[0].raw_step_size
    for ours, theirs in zip(loaded.estimator.layers[0].variables, vae.estimator.layers[0].variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(loaded.estimate(DATA, seed=4).bound, vae.estimate(DATA, seed=4).bound)


@pytest.mark.slow
def test_training_goes_on_after_a_file(tmp_path):
    vae = make_vae()
    fitted(vae, epochs=1, run_eagerly=True)
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    arguments = {"batch_size": 8, "shuffle": False, "verbose": 0}
    np.testing.assert_array_equal(*(model.fit(DATA, **arguments).history["loss"] for model in (loaded, vae)))
    np.testing.assert_array_equal(loaded.estimator.layers[0].raw_tempering, vae.estimator.layers[0].raw_tempering)


def test_another_estimator_for_one_estimate():
    """Its step sizes are created in the first call."""
    vae, eager = make_vae(SGVB()), HamiltonianELBO(1)
    assert np.isfinite(vae.estimate(DATA, estimator=eager, seed=5).bound).all()
    with pytest.raises(ValueError, match=r"passed to the constructor, VAE\(\.\.\., estimator=\.\.\.\)"):
        vae.estimator = eager


@pytest.mark.slow
def test_another_estimator_in_a_traced_function():
    vae = make_vae(SGVB())
    eager, traced = HamiltonianELBO(1), HamiltonianELBO(1)
    in_graph = tf.function(lambda: vae.estimate(DATA, estimator=traced, seed=5).bound)
    np.testing.assert_allclose(in_graph(), vae.estimate(DATA, estimator=eager, seed=5).bound, rtol=1e-5)
    noise = tfvae.evaluation.gradient_variance(vae, DATA[:4], [SGVB(), HamiltonianELBO(2)], num_repeats=2)
    assert {row.estimator for row in noise.rows} == {"SGVB()", "HamiltonianELBO(num_steps=2)"}


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_training_raises_the_bound(jit_compile):
    """With a learned prior, a full covariance, and one compiled program of all steps."""
    vae = make_vae(prior=priors.MixtureOfGaussians(D, 2), posterior=layers.MultivariateNormalTriL)
    before = np.mean(vae.estimate(DATA, seed=1).bound)
    fitted(vae, epochs=30, jit_compile=jit_compile)
    assert np.mean(vae.estimate(DATA, seed=1).bound) > before + 0.2


def test_models_whose_latents_cannot_move():
    def normal(size):
        return keras.Sequential([keras.layers.Dense(2 * size), layers.MultivariateNormalDiag(size)])

    joint = keras.Sequential([keras.layers.Flatten(), layers.Joint({"a": normal(2), "b": normal(1)})])
    prior = priors.Joint({"a": priors.StandardNormal(2), "b": priors.StandardNormal(1)})
    inputs = {"a": keras.Input((2,), name="a"), "b": keras.Input((1,), name="b")}
    logits = keras.layers.Dense(8)(keras.layers.Concatenate()([inputs["a"], inputs["b"]]))
    decoder = keras.Model(inputs, layers.IndependentBernoulli(X)(logits))
    with pytest.raises(ValueError, match=r"HamiltonianELBO moves z .* several parts, or make it one vector"):
        tfvae.models.VAE(joint, decoder, prior, HamiltonianELBO())
    sphere = make_vae(posterior=layers.VonMisesFisher, prior=priors.SphericalUniform(D))
    with pytest.raises(ValueError, match=r"HamiltonianELBO moves z .* any real numbers"):
        sphere.estimate(DATA)
    estimator = HamiltonianELBO()
    make_vae(estimator)
    encoder = keras.Sequential([keras.layers.Flatten(), normal(2)])
    decoder = keras.Sequential([keras.layers.Dense(8), layers.IndependentBernoulli(X)])
    with pytest.raises(ValueError, match="Create another HamiltonianELBO for each model"):
        tfvae.models.VAE(encoder, decoder, estimator=estimator)

"""Priors and losses in files: what a fresh process makes of them."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

import tfvae
from tfvae.layers import DistributionLambda, IndependentNormal, KLDivergenceRegularizer, MultivariateNormalDiag
from tfvae.losses import negative_log_likelihood

tfd = tfp.distributions
X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")

IN_LISTS = {
    "diag": lambda: tfd.MultivariateNormalDiag(loc=[0.0, 0.5], scale_diag=[1.0, 2.0]),
    "independent": lambda: tfd.Independent(tfd.Normal(loc=[0.0, 0.5], scale=1.0), reinterpreted_batch_ndims=1),
    "sample": lambda: tfd.Sample(tfd.Normal(0.0, 1.0), [2]),
    "mixture": lambda: tfd.MixtureSameFamily(
        tfd.Categorical(probs=[0.3, 0.7]),
        tfd.MultivariateNormalDiag([[0.0, 1.0], [2.0, 3.0]], [[1.0, 1.0], [2.0, 0.5]]),
    ),
    "uniform": lambda: tfd.Independent(tfd.Uniform([-9.0, -9.0], [9.0, 9.0]), 1),
}


def model_with(*regularizers):
    inputs = keras.Input((3,))
    q = inputs
    for regularizer in regularizers:
        q = MultivariateNormalDiag(2, "mean", activity_regularizer=regularizer)(keras.layers.Dense(4)(q))
    model = keras.Model(inputs, IndependentNormal((3,))(keras.layers.Dense(6)(q)))
    model.compile("sgd", loss=negative_log_likelihood, run_eagerly=True)
    return model


@pytest.mark.parametrize("name", slow_except(IN_LISTS, "diag", "sample"))
def test_prior_of_python_lists_keeps_its_dtype(name, tmp_path):
    model = model_with(KLDivergenceRegularizer(IN_LISTS[name](), use_exact_kl=None))
    before = model.evaluate(X, X, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(loaded.evaluate(X, X, verbose=0), before, rtol=1e-5)
    fixed = tfvae.priors.Fixed(IN_LISTS[name]())
    assert tfvae.priors.Fixed.from_config(fixed.get_config()).distribution().dtype == tf.float32


def test_one_prior_in_two_layers_is_one_prior_in_the_file(tmp_path):
    prior = tfvae.priors.Normal(2)
    model = model_with(KLDivergenceRegularizer(prior), KLDivergenceRegularizer(prior, weight=0.5))
    model.fit(X, X, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert len(loaded.trainable_weights) == len(model.trainable_weights)
    np.testing.assert_allclose(loaded.evaluate(X, X, verbose=0), model.evaluate(X, X, verbose=0), rtol=1e-5)


@pytest.mark.slow
def test_compiled_model_loads_in_a_fresh_process(tmp_path):
    model = model_with(KLDivergenceRegularizer(tfvae.priors.Normal(2)))
    model.compile("sgd", loss=negative_log_likelihood, jit_compile=False)
    expected = model.evaluate(X, X, verbose=0)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", X)
    for load in ("import tfvae; m = tfvae.load_model(p)", "import keras, tfvae.models; m = keras.models.load_model(p)"):
        code = f"import sys, numpy as np; p = sys.argv[1] + '/model.keras'; {load}; " + (
            "x = np.load(sys.argv[1] + '/x.npy'); print('loss', m.evaluate(x, x, verbose=0))"
        )
        run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120)
        assert run.returncode == 0, run.stderr[-2000:]
        np.testing.assert_allclose(float(run.stdout.split("loss")[1]), expected, rtol=1e-5)


def test_regulariser_set_later_counts_the_same():
    prior = tfd.MultivariateNormalDiag(tf.zeros(2))
    layer = MultivariateNormalDiag(2)
    layer.activity_regularizer = KLDivergenceRegularizer(prior)
    parameters = np.random.default_rng(1).normal(size=(6, 4)).astype("float32")
    q = layer(parameters)
    np.testing.assert_allclose(layer.losses, [np.mean(tfd.kl_divergence(q, prior))], rtol=1e-5)


def test_lambda_as_activity_regulariser_is_no_code_in_the_file(tmp_path):
    layer = IndependentNormal((2,), activity_regularizer=lambda d: tf.reduce_sum(d.mean() ** 2))
    model = keras.Sequential([keras.Input((4,)), layer])
    with pytest.raises(ValueError, match="register_keras_serializable"):
        model.save(tmp_path / "model.keras")
    assert keras.models.clone_model(model).layers[0].distribution_regularizer is layer.distribution_regularizer


@pytest.mark.parametrize("batch_shape", [[3], [6, 2]])
def test_prior_of_another_batch_shape_is_one_clear_error(batch_shape):
    prior = tfd.MultivariateNormalDiag(tf.zeros([*batch_shape, 2]))
    q = MultivariateNormalDiag(2)(np.zeros((6, 4), "float32"))
    with pytest.raises(ValueError, match=r"tfd\.Independent"):
        KLDivergenceRegularizer(prior)(q)


def test_prior_of_another_dtype_is_one_clear_error():
    q = MultivariateNormalDiag(2)(np.zeros((6, 4), "float32"))
    with pytest.raises(ValueError, match="float64"):
        KLDivergenceRegularizer(tfd.MultivariateNormalDiag(np.zeros(2)))(q)


def test_mask_of_event_axes_and_of_steps_that_are_not_finite():
    def over_time(t):
        return tfd.Independent(tfd.Normal(t[..., 0], 1.0), 1)

    prior = tfd.Sample(tfd.Normal(0.0, 1.0), 5)
    layer = DistributionLambda(over_time, activity_regularizer=KLDivergenceRegularizer(prior))
    t, mask = np.ones((6, 5, 2), "float32"), np.ones((6, 5), bool)
    mask[2:] = False
    layer(t, mask=tf.constant(mask))
    np.testing.assert_allclose(layer.losses, [2.5], rtol=1e-6)
    parameters = np.zeros((2, 3, 4), "float32")
    parameters[1, 2] = np.nan
    q = MultivariateNormalDiag(2)(parameters)
    kl = KLDivergenceRegularizer(tfd.MultivariateNormalDiag(tf.zeros(2)))
    seen = tf.constant([[True, True, True], [True, True, False]])
    np.testing.assert_allclose(kl(q, seen), kl(MultivariateNormalDiag(2)(parameters[:1])), rtol=1e-5)


def test_event_shape_that_shows_only_in_the_graph():
    parameters = np.random.default_rng(0).normal(size=(4, 12)).astype("float32")

    @tf.function(input_signature=[tf.TensorSpec([None, None]), tf.TensorSpec([None], tf.int32)])
    def log_prob(t, event_shape):
        return IndependentNormal.new(t, event_shape).log_prob(tf.zeros(event_shape))

    expected = IndependentNormal.new(parameters, (3, 2)).log_prob(np.zeros((3, 2), "float32"))
    np.testing.assert_allclose(log_prob(parameters, [3, 2]), expected, rtol=1e-5)


def test_input_of_unknown_rank():
    layer = MultivariateNormalDiag(2)
    parameters = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    expected = layer(parameters).log_prob([0.0, 1.0])
    compiled = tf.function(lambda t: layer(t).log_prob([0.0, 1.0]), input_signature=[tf.TensorSpec(None, tf.float32)])
    np.testing.assert_allclose(compiled(parameters), expected, rtol=1e-5)


def test_validate_args_of_a_lambda_and_under_auto_jit():
    layer = DistributionLambda(lambda t: tfd.Normal(t, 1.0), validate_args=True)
    with pytest.raises(ValueError, match="NaN or infinite"):
        layer(np.array([[np.nan]], "float32"))
    assert layer.supports_jit is False
    assert DistributionLambda(lambda t: tfd.Normal(t, 1.0)).supports_jit is True

"""Distribution layers in everything that Keras does with layers."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers import (
    DistributionLambda,
    GenericDistribution,
    IndependentBernoulli,
    IndependentNormal,
    KLDivergenceAddLoss,
    KLDivergenceRegularizer,
    MultivariateNormalDiag,
)
from tfvae.losses import negative_log_likelihood

tfd = tfp.distributions
PACKAGE = "tests_ways_of_use"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 3)).astype("float32")


def standard_normal(size=2):
    return tfd.MultivariateNormalDiag(tf.zeros(size))


def ten_points(distribution):
    return distribution.sample(10)


# Models of models -------------------------------------------------------------------------------------------------


def test_several_outputs_with_losses_and_metrics_by_name():
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(8)(inputs)
    outputs = {
        "size": IndependentNormal((2,), name="size")(keras.layers.Dense(4)(hidden)),
        "kind": IndependentBernoulli((5,), name="kind")(keras.layers.Dense(5)(hidden)),
    }
    model = keras.Model(inputs, outputs)
    losses = {"size": lambda y, rv: -rv.log_prob(y), "kind": negative_log_likelihood}
    model.compile(
        "sgd",
        loss=losses,
        loss_weights={"size": 2.0, "kind": 0.5},
        metrics={"size": [spread], "kind": ["mae"]},
        run_eagerly=True,
    )
    y = {"size": RNG.normal(size=(16, 2)), "kind": RNG.integers(0, 2, size=(16, 5))}
    made = model(X)
    size, kind = -np.mean(made["size"].log_prob(y["size"])), -np.mean(made["kind"].log_prob(y["kind"]))
    logs = model.evaluate(X, y, verbose=0, return_dict=True)
    np.testing.assert_allclose([logs["size_loss"], logs["kind_loss"]], [size, kind], rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], 2.0 * size + 0.5 * kind, rtol=1e-5)
    np.testing.assert_allclose(logs["size_spread"], np.mean(made["size"].stddev()), rtol=1e-5)
    assert 0.0 <= logs["kind_mae"] <= 1.0
    weights = {"size": RNG.uniform(size=16), "kind": RNG.uniform(size=16)}
    assert np.isfinite(model.fit(X, y, sample_weight=weights, verbose=0).history["loss"]).all()
    model.run_eagerly, model.jit_compile = False, False
    predicted = model.predict(X, verbose=0)
    assert predicted["size"].shape == (16, 2)
    assert predicted["kind"].shape == (16, 5)


def spread(y, rv):
    return tf.reduce_mean(rv.stddev(), axis=-1)


def test_metric_object_receives_the_distribution():
    class Entropy(keras.metrics.Mean):
        def update_state(self, y_true, y_pred, sample_weight=None):
            return super().update_state(y_pred.entropy(), sample_weight)

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), IndependentNormal((2,))])
    model.compile("sgd", loss=negative_log_likelihood, metrics=[Entropy(name="entropy")], jit_compile=False)
    y = RNG.normal(size=(16, 2))
    entropy = model.evaluate(X, y, verbose=0, return_dict=True)["entropy"]
    np.testing.assert_allclose(entropy, np.mean(model(X).entropy()), rtol=1e-5)
    assert np.isfinite(model.fit(X, y, verbose=0).history["entropy"]).all()


def test_nested_models_count_the_kl_once():
    encoder = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4),
            MultivariateNormalDiag(2, "mean", activity_regularizer=KLDivergenceRegularizer(standard_normal())),
        ]
    )
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(6), IndependentNormal((3,))])
    inputs = keras.Input((3,))
    inner = keras.Model(inputs, decoder(encoder(inputs)))
    again = keras.Input((3,))
    outer = keras.Model(again, inner(again))
    outer.compile("sgd", loss=negative_log_likelihood, jit_compile=False)
    expected = -np.mean(outer(X).log_prob(X)) + np.mean(tfd.kl_divergence(encoder(X), standard_normal()))
    np.testing.assert_allclose(outer.evaluate(X, X, verbose=0), expected, rtol=1e-5)
    assert isinstance(outer(X), tfd.Distribution)


def test_shared_layer_makes_two_distributions_and_two_kl_terms():
    shared = MultivariateNormalDiag(2, "mean", activity_regularizer=KLDivergenceRegularizer(standard_normal()))
    a, b = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([a, b], [shared(a), shared(b)])
    parameters = RNG.normal(size=(2, 16, 4)).astype("float32")
    first, second = model(list(parameters))
    np.testing.assert_allclose(first.mean(), parameters[0, :, :2])
    np.testing.assert_allclose(second.mean(), parameters[1, :, :2])
    expected = [np.mean(tfd.kl_divergence(q, standard_normal())) for q in (first, second)]
    np.testing.assert_allclose(np.sort(model.losses), np.sort(expected), rtol=1e-5)


@keras.saving.register_keras_serializable(package=PACKAGE)
class TwoPaths(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(4)
        self.posterior = MultivariateNormalDiag(2, "mean")
        self.kl = KLDivergenceAddLoss(standard_normal())
        self.decoder = keras.layers.Dense(6)
        self.likelihood = IndependentNormal((3,))

    def call(self, inputs):
        return self.likelihood(self.decoder(self.kl(self.posterior(self.dense(inputs)))))


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.slow
def test_subclassed_model_built_in_fit(run_eagerly):
    model = TwoPaths()
    model.compile(keras.optimizers.Adam(1e-2), loss=negative_log_likelihood, run_eagerly=run_eagerly)
    history = model.fit(X, X, epochs=30, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_masks_pass_and_leave_out_masked_steps():
    x = RNG.normal(size=(4, 5, 3)).astype("float32")
    x[0, 2:], x[2, 4:] = 0.0, 0.0
    inputs = keras.Input((5, 3))
    regularizer = KLDivergenceRegularizer(standard_normal())
    q = MultivariateNormalDiag(2, "mean", activity_regularizer=regularizer)
    parameters = keras.layers.Dense(4)(keras.layers.Masking()(inputs))
    outputs = IndependentNormal((3,))(keras.layers.Dense(6)(q(parameters)))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", loss=negative_log_likelihood, run_eagerly=True)
    mask = np.any(x != 0.0, axis=-1)
    assert mask.sum() == 16
    posterior = keras.Model(inputs, q.output)(x)
    nll = -np.sum(model(x).log_prob(x) * mask) / mask.sum()
    kl = np.sum(tfd.kl_divergence(posterior, standard_normal()) * mask) / mask.sum()
    np.testing.assert_allclose(model.losses, [kl], rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(x, x, verbose=0), nll + kl, rtol=1e-5)
    through = keras.Sequential([keras.layers.Masking(), IndependentNormal((1,), "mean"), keras.layers.LSTM(2)])
    np.testing.assert_allclose(through(x[:1, :, :2])[0], through(x[:1, :2, :2])[0], rtol=1e-5)


@pytest.mark.parametrize("use_exact_kl", [None, False])
def test_kl_is_the_same_scale_with_leading_sample_axes(use_exact_kl):
    regularizer = KLDivergenceRegularizer(standard_normal(), use_exact_kl)
    encoder = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4),
            MultivariateNormalDiag(2, ten_points, activity_regularizer=regularizer),
        ]
    )
    outputs = IndependentNormal((3,))(keras.layers.Dense(6)(encoder.outputs[0]))
    model = keras.Model(encoder.inputs[0], outputs)
    likelihood = model(np.tile(X, (200, 1)))
    assert likelihood.batch_shape == (10, 3200)
    q = encoder(X)
    exact = np.mean(tfd.kl_divergence(q, standard_normal()))
    model(np.tile(X, (200, 1)))
    if use_exact_kl is None:
        np.testing.assert_allclose(model.losses, [exact], rtol=1e-5)
    else:
        z = q.sample(2000)
        spread_of_one = np.std(np.mean(q.log_prob(z) - standard_normal().log_prob(z), axis=1)) * np.sqrt(16)
        assert abs(float(model.losses[0]) - exact) < 5 * spread_of_one / np.sqrt(32000)
    model.compile("sgd", loss=negative_log_likelihood, run_eagerly=True)
    assert np.isfinite(model.fit(X, X, verbose=0).history["loss"]).all()


def test_summary_and_plot(tmp_path, capsys):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="parameters"), MultivariateNormalDiag(2)])
    model.summary()
    assert "MultivariateNormalDiag" in capsys.readouterr().out
    pytest.importorskip("pydot", reason="plot_model needs pydot")
    try:
        keras.utils.plot_model(model, tmp_path / "model.png", show_shapes=True, show_layer_names=True)
    except ImportError:
        pytest.skip("plot_model needs graphviz")
    assert (tmp_path / "model.png").stat().st_size > 1000


# Saving ------------------------------------------------------------------------------------------------------------


def lambda_model():
    inputs = keras.Input((3,))
    layer = DistributionLambda(lambda t: tfd.Normal(t, 1.0), lambda d: d.mean())
    return keras.Model(inputs, layer(keras.layers.Dense(2)(inputs)))


def test_lambda_is_refused_when_saved_and_cloned_when_cloned(tmp_path):
    model = lambda_model()
    with pytest.raises(ValueError, match="register_keras_serializable"):
        model.save(tmp_path / "model.keras")
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(X).mean(), model(X).mean())
    assert model.layers[-1].make_distribution_fn is clone.layers[-1].make_distribution_fn


def make_not_registered(t):
    return tfd.Normal(t, 1.0)


def test_function_that_is_not_registered_is_refused_too(tmp_path):
    model = keras.Sequential([keras.Input((3,)), DistributionLambda(make_not_registered)])
    with pytest.raises(ValueError, match="make_not_registered"):
        model.save(tmp_path / "model.keras")


def test_clone_has_weights_of_its_own():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), IndependentNormal((2,), seed=3)])
    clone = keras.models.clone_model(model)
    before = model(X).mean().numpy()
    clone.layers[0].kernel.assign_add(tf.ones([3, 4]))
    np.testing.assert_array_equal(model(X).mean(), before)


def test_encoder_and_decoder_are_saved_apart(tmp_path):
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), MultivariateNormalDiag(2, "mean", seed=1)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(6), IndependentNormal((3,), seed=1)])
    encoder.save(tmp_path / "encoder.keras")
    decoder.save(tmp_path / "decoder.keras")
    load = keras.saving.load_model
    z = load(tmp_path / "encoder.keras", safe_mode=True)(X)
    likelihood = load(tmp_path / "decoder.keras", safe_mode=True)(z)
    np.testing.assert_array_equal(likelihood.log_prob(X), decoder(encoder(X)).log_prob(X))


@pytest.mark.slow
def test_export_serves_the_converted_value_in_a_fresh_process(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), GenericDistribution(tfd.Gumbel, (2,), "mean")])
    model.export(tmp_path / "exported", verbose=False)
    np.save(tmp_path / "x.npy", X)
    code = (
        "import sys, numpy as np, tensorflow as tf; d = sys.argv[1]; "
        "m = tf.saved_model.load(d + '/exported'); y = m.serve(np.load(d + '/x.npy')); np.save(d + '/y.npy', y.numpy())"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, timeout=120)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model(X).mean(), rtol=1e-5)


# Parameters that are not finite, inputs of another rank ---------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_validate_args_names_parameters_that_are_not_finite(bad):
    parameters = np.zeros((4, 4), "float32")
    parameters[1, 2] = bad
    layer = MultivariateNormalDiag(2, validate_args=True, name="posterior")
    with pytest.raises(ValueError, match="'posterior' received parameters that are NaN or infinite"):
        layer(parameters)
    with pytest.raises(tf.errors.InvalidArgumentError, match="NaN or infinite"):
        tf.function(lambda t: tf.convert_to_tensor(layer(t)))(parameters)
    assert MultivariateNormalDiag(2)(parameters).batch_shape == (4,)
    assert np.isfinite(layer(np.zeros((4, 4), "float32")).log_prob(np.zeros((4, 2), "float32"))).all()


def test_unflattened_input_is_told_of_flatten():
    layer = IndependentBernoulli((4, 4, 1))
    with pytest.raises(ValueError, match=r"keras\.layers\.Flatten\(\)"):
        layer(np.zeros((2, 4, 4, 1), "float32"))
    with pytest.raises(ValueError, match="needs 16 parameters"):
        layer(np.zeros((), "float32"))


# Several devices -----------------------------------------------------------------------------------------------------

TWO_REPLICAS = """
import keras, numpy as np, tensorflow as tf, tensorflow_probability as tfp
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tfvae.layers import IndependentNormal, KLDivergenceRegularizer, MultivariateNormalDiag
from tfvae.losses import negative_log_likelihood
from tfvae.priors import StandardNormal
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
x = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")

def build():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((3,))
    regularizer = KLDivergenceRegularizer(StandardNormal(2), weight=0.7)
    q = MultivariateNormalDiag(2, "mean", activity_regularizer=regularizer)(keras.layers.Dense(4)(inputs))
    model = keras.Model(inputs, IndependentNormal((3,))(keras.layers.Dense(6)(q)))
    model.compile(keras.optimizers.SGD(0.1), loss=negative_log_likelihood, jit_compile=False)
    return model

alone = build()
with strategy.scope():
    mirrored = build()
mirrored.set_weights(alone.get_weights())
assert strategy.num_replicas_in_sync == 2
a = alone.fit(x, x, batch_size=16, epochs=3, shuffle=False, verbose=0).history["loss"]
b = mirrored.fit(x, x, batch_size=16, epochs=3, shuffle=False, verbose=0).history["loss"]
np.testing.assert_allclose(a, b, rtol=1e-4)
for u, v in zip(alone.get_weights(), mirrored.get_weights(), strict=True):
    np.testing.assert_allclose(u, v, rtol=1e-3, atol=1e-5)
print("same")
"""


@pytest.mark.slow
def test_two_replicas_train_as_one():
    run = subprocess.run([sys.executable, "-c", TWO_REPLICAS], capture_output=True, text=True, timeout=180)
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.strip().endswith("same")


def test_joint_distribution_converts_to_its_last_part():
    def joint(t):
        return tfd.JointDistributionSequential(
            [tfd.MultivariateNormalDiag(t), lambda z: tfd.Independent(tfd.Normal(z[..., :2], 0.5), 1)]
        )

    inputs = keras.Input((3,))
    model = keras.Model(inputs, DistributionLambda(joint)(keras.layers.Dense(3)(inputs)))
    assert model.output_shape == (None, 2)
    z, y = RNG.normal(size=(16, 3)).astype("float32"), RNG.normal(size=(16, 2)).astype("float32")
    made = model(X)
    parameters = model.layers[1](X)
    expected = tfd.MultivariateNormalDiag(parameters).log_prob(z)
    expected += tfd.MultivariateNormalDiag(z[:, :2], [0.5, 0.5]).log_prob(y)
    np.testing.assert_allclose(made.log_prob([z, y]), expected, rtol=1e-5)
    model.compile("sgd", loss=lambda y, rv: -rv.log_prob([tf.zeros([16, 3]), y]), run_eagerly=True)
    assert np.isfinite(model.fit(X, y, batch_size=16, verbose=0).history["loss"]).all()
    model.run_eagerly, model.jit_compile = False, False
    assert model.predict(X, verbose=0).shape == (16, 2)


# Several inputs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [list, tuple, lambda parts: dict(zip("ab", parts, strict=True))])
def test_kl_of_a_layer_with_several_inputs(pack):
    def make(parts):
        loc, raw_scale = tf.nest.flatten(parts)
        return tfd.MultivariateNormalDiag(loc, tf.nn.softplus(raw_scale))

    prior = tfd.MultivariateNormalDiag(tf.zeros(3))
    inputs = keras.Input((3,)), keras.Input((3,))
    layer = DistributionLambda(make, activity_regularizer=KLDivergenceRegularizer(prior))
    model = keras.Model(inputs, layer(pack(inputs)))
    q = model([X, X])
    expected = tf.reduce_mean(tfd.kl_divergence(make([X, X]), prior))
    np.testing.assert_allclose(model.losses, [expected], rtol=1e-6)
    np.testing.assert_allclose(layer(pack([X, X])).kl_divergence(prior), q.kl_divergence(prior))


def test_masks_of_several_inputs_are_one():
    valid = np.array([[1, 2, 0], [3, 0, 0]])
    inputs, other = keras.Input((3,), dtype="int32"), keras.Input((3, 2))
    prior = tfd.MultivariateNormalDiag(tf.zeros(2))
    layer = DistributionLambda(
        lambda t: tfd.MultivariateNormalDiag(t[0], tf.nn.softplus(t[1])),
        activity_regularizer=KLDivergenceRegularizer(prior),
    )
    model = keras.Model([inputs, other], layer([keras.layers.Embedding(5, 2, mask_zero=True)(inputs), other]))
    kl = model([valid, np.ones((2, 3, 2), "float32")]).kl_divergence(prior).numpy()
    np.testing.assert_allclose(model.losses, [kl[valid > 0].mean()], rtol=1e-6)


def test_masks_of_two_heads_in_a_functional_model():
    inputs = keras.Input((3,), dtype="int32")
    hidden = keras.layers.Embedding(5, 2, mask_zero=True)(inputs)
    heads = [keras.layers.Dense(2)(hidden), keras.layers.Dense(2)(hidden)]
    outputs = DistributionLambda(lambda t: tfd.MultivariateNormalDiag(t[0], tf.nn.softplus(t[1])))(heads)
    assert keras.Model(inputs, outputs)(np.array([[1, 2, 0]])).shape == (1, 3, 2)


def test_the_plain_distribution_of_an_output():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), MultivariateNormalDiag(2)])
    q = model(X)
    assert isinstance(q.tensor_distribution, tfd.MultivariateNormalDiag)
    assert isinstance(tf.expand_dims(q, -1).tensor_distribution, tfd.MultivariateNormalDiag)  # as Keras does for a loss
    np.testing.assert_array_equal(q.tensor_distribution.mean(), q.mean())
    prior = tfd.MultivariateNormalDiag(tf.zeros(2))
    assert isinstance(KLDivergenceAddLoss(prior)(q).tensor_distribution, tfd.MultivariateNormalDiag)

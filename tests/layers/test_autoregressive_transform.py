"""The flow layer: its density by hand and by TFP, its fit, and its life in models and files."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

import tfvae
from tfvae.estimators import SGVB
from tfvae.layers import (
    AutoregressiveTransform,
    DistributionLambda,
    IndependentBernoulli,
    IndependentNormal,
    MultivariateNormalDiag,
)
from tfvae.models import VAE
from tfvae.networks import AutoregressiveNetwork
from tfvae.priors import StandardNormal

tfd, tfb = tfp.distributions, tfp.bijectors
PACKAGE = "tests_autoregressive_transform"
D = 3


@keras.saving.register_keras_serializable(package=PACKAGE)
def standard_normal(inputs):
    """The base of the documented example: of the inputs, only the batch counts."""
    loc = tf.zeros(tf.concat([tf.shape(inputs)[:-1], [2]], axis=0))
    return tfd.MultivariateNormalDiag(loc=loc, scale_diag=[1.0, 1.0])


@keras.saving.register_keras_serializable(package=PACKAGE)
def twice_the_sample(distribution, seed=None):
    return 2.0 * distribution.sample(seed=seed)


def a_mixture(loc):
    normals = tfd.MultivariateNormalDiag(tf.stack([loc, -loc], axis=1), tf.ones([D]))
    return tfd.MixtureSameFamily(tfd.Categorical(logits=[0.0, 1.0]), normals)


def some(*shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def made(**kwargs):
    return AutoregressiveNetwork(**{"params": 2, "hidden_units": [5], "activation": "tanh", **kwargs})


def conditional_model(**kwargs):
    """From 4 numbers to a flow over D."""
    inputs = keras.Input((4,))
    base = MultivariateNormalDiag(D)(keras.layers.Dense(2 * D)(inputs))
    return keras.Model(inputs, AutoregressiveTransform(made(), **kwargs)(base))


def density_model(**kwargs):
    return keras.Sequential(
        [keras.Input((0,)), DistributionLambda(standard_normal), AutoregressiveTransform(made(**kwargs))]
    )


def negative_log_likelihood(x, rv_x):
    return -rv_x.log_prob(x)


def test_log_prob_is_the_change_of_variables():
    network = made(event_shape=D, dtype="float64", input_order=(2, 3, 1))
    loc, scale = some(4, D, dtype="float64"), np.exp(some(4, D, dtype="float64", seed=1))
    base = DistributionLambda(lambda t: tfd.MultivariateNormalDiag(t, scale), dtype="float64")(loc)
    y = AutoregressiveTransform(network, dtype="float64")(base)
    x = some(4, D, dtype="float64", seed=2)
    shift, log_scale = np.moveaxis(network(x).numpy(), -1, 0)
    u = (x - shift) * np.exp(-log_scale)
    standard = (u - loc) / scale
    expected = np.sum(-0.5 * standard**2 - 0.5 * np.log(2 * np.pi) - np.log(scale) - log_scale, axis=-1)
    np.testing.assert_allclose(y.log_prob(x), expected, rtol=1e-12)


def test_same_distribution_as_tfp_with_the_same_network():
    network, loc = made(event_shape=D), some(4, D)
    y = AutoregressiveTransform(network)(
        DistributionLambda(lambda t: tfd.MultivariateNormalDiag(t, [1.0, 2.0, 0.5]))(loc)
    )
    theirs = tfd.TransformedDistribution(
        distribution=tfd.MultivariateNormalDiag(loc, [1.0, 2.0, 0.5]),
        bijector=tfb.MaskedAutoregressiveFlow(lambda x: tf.unstack(network(x), axis=-1)),
    )
    x = some(7, 4, D, seed=2)
    np.testing.assert_array_equal(y.log_prob(x), theirs.log_prob(x))
    np.testing.assert_array_equal(y.sample(5, seed=(3, 4)), theirs.sample(5, seed=(3, 4)))
    assert (y.batch_shape, y.event_shape) == ((4,), (D,))


def test_a_sample_and_its_log_prob_agree():
    y = conditional_model()(some(5, 4))
    x, log_prob = y.experimental_sample_and_log_prob(6, seed=1)
    np.testing.assert_allclose(log_prob, y.log_prob(tf.identity(x)), rtol=1e-4, atol=1e-4)


def test_log_prob_runs_the_network_once(monkeypatch):
    calls, call = [], AutoregressiveNetwork.call

    def counted(self, x, conditional_input=None):
        calls.append(tuple(x.shape))
        return call(self, x, conditional_input)

    monkeypatch.setattr(AutoregressiveNetwork, "call", counted)
    inputs = keras.Input((2 * D,))
    flow = AutoregressiveTransform(made())(MultivariateNormalDiag(D)(inputs))
    flow = AutoregressiveTransform(made(input_order="right-to-left"))(flow)
    model = keras.Model(inputs, flow)
    calls.clear()
    flow, x = model(some(4, 2 * D)), tf.constant(some(4, D))
    assert not calls, "nobody has asked for a number"
    expected = flow.log_prob(x)
    assert calls == [(4, D)] * 2
    tf.function(flow.log_prob)(x)
    assert len(calls) == 4
    # What one call remembers is not what another one of the same flow, in a graph of its own, gets.
    inside = tf.function(lambda x: tf.cond(tf.reduce_sum(x) < 1e9, lambda: flow.log_prob(x), lambda: tf.zeros([4])))
    np.testing.assert_allclose(inside(x), expected, rtol=1e-5)
    np.testing.assert_allclose(tf.function(lambda x: inside(x) + flow.log_prob(x))(x), 2 * expected, rtol=1e-5)


class TestInverse:
    """`inverse=True`: a draw and its density take one pass."""

    def posterior(self, network, loc, scale):
        base = DistributionLambda(lambda t: tfd.MultivariateNormalDiag(t, scale), dtype="float64")(loc)
        return AutoregressiveTransform(network, inverse=True, dtype="float64")(base)

    def test_density_of_draws_by_hand(self):
        network = made(event_shape=D, dtype="float64", input_order=(2, 3, 1))
        loc, scale = some(4, D, dtype="float64"), np.exp(some(4, D, dtype="float64", seed=1))
        y = self.posterior(network, loc, scale)
        x, log_prob = y.experimental_sample_and_log_prob(seed=(1, 2))
        u = y.bijector.inverse(tf.identity(x)).numpy()
        shift, log_scale = np.moveaxis(network(u).numpy(), -1, 0)
        np.testing.assert_allclose(x, (u - shift) * np.exp(-log_scale), rtol=1e-9)
        expected = np.sum(-0.5 * ((u - loc) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi) + log_scale, -1)
        np.testing.assert_allclose(log_prob, expected, rtol=1e-9)
        np.testing.assert_allclose(y.log_prob(tf.identity(x)), expected, rtol=1e-9)  # D passes

    def test_a_draw_runs_the_network_once(self, monkeypatch):
        layer = AutoregressiveTransform(made(event_shape=D), inverse=True)
        y = layer(DistributionLambda(lambda t: tfd.MultivariateNormalDiag(t, tf.ones(D)))(some(4, D)))
        calls, call = [], AutoregressiveNetwork.call
        monkeypatch.setattr(AutoregressiveNetwork, "call", lambda *args: calls.append(1) or call(*args))
        y.experimental_sample_and_log_prob(seed=(1, 2))
        assert len(calls) == 1

    def test_trains_a_posterior_and_round_trips(self, tmp_path):
        encoder = conditional_model(inverse=True)
        vae = VAE(encoder, keras.Sequential([keras.layers.Dense(4), IndependentBernoulli(4)]), StandardNormal(D))
        vae.compile()
        before = [v.numpy() for v in encoder.trainable_variables]
        vae.fit((some(32, 4) > 0).astype("float32"), batch_size=16, verbose=0)
        after = encoder.trainable_variables
        assert all((a != b.numpy()).any() for a, b in zip(before, after, strict=True) if a.ndim > 1)
        vae.save(tmp_path / "vae.keras")
        loaded = tfvae.load_model(tmp_path / "vae.keras")
        x = (some(3, 4) > 0).astype("float32")
        assert loaded.encoder.layers[-1].inverse
        np.testing.assert_array_equal(loaded.elbo(x, seed=0), vae.elbo(x, seed=0))

    def test_files_of_earlier_versions_are_not_inverse(self):
        assert "inverse" not in AutoregressiveTransform(made()).get_config()


def banana(num_examples, seed=0):
    """The documented data: x_2 is normal of scale 2, and x_1 is normal about x_2^2 / 4."""
    rng = np.random.default_rng(seed)
    second = rng.normal(size=num_examples) * 2
    return np.stack([rng.normal(size=num_examples) + second**2 / 4, second], axis=-1).astype("float32")


@pytest.mark.parametrize("input_order", ["left-to-right", "right-to-left"])
@pytest.mark.slow
def test_documented_density_estimation_beats_a_normal(input_order):
    keras.utils.set_random_seed(0)
    n = 2000
    train, test = banana(n), banana(n, seed=1)
    model = density_model(hidden_units=[10], activation="relu", input_order=input_order)
    assert len(model.trainable_variables) == 4, "the network's weights are the model's from the start"
    model.compile(keras.optimizers.Adam(0.01), loss=lambda x, rv_x: -rv_x.log_prob(x), jit_compile=False)
    model.fit(np.zeros((n, 0), "float32"), train, batch_size=50, epochs=8, verbose=0)
    normal = tfd.MultivariateNormalTriL(train.mean(axis=0), np.linalg.cholesky(np.cov(train.T)).astype("float32"))
    gain = (model(np.zeros((n, 0), "float32")).log_prob(test) - normal.log_prob(test)).numpy()
    assert gain.mean() > 5 * gain.std(ddof=1) / np.sqrt(n)
    assert gain.mean() > 0.15
    if input_order == "right-to-left":
        # That is how the data were made: x_1 given x_2 is normal, and the flow can be all but exact.
        entropy = np.log(2 * np.pi * np.e) + np.log(2.0)
        log_prob = model(np.zeros((n, 0), "float32")).log_prob(test).numpy()
        assert abs(log_prob.mean() + entropy) < 0.1 + 5 * log_prob.std(ddof=1) / np.sqrt(n)


def test_fit_under_xla_trains_every_weight():
    model = conditional_model()
    assert len(model.trainable_variables) == 6
    model.compile(keras.optimizers.SGD(0.01), loss=negative_log_likelihood, jit_compile=True)
    x, y = some(8, 4), some(8, D, seed=1)
    before = [v.numpy() for v in model.trainable_variables]
    history = model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert all(np.any(v.numpy() != old) for v, old in zip(model.trainable_variables, before, strict=True))


@pytest.mark.parametrize("jit_compile", slow_except([False, True], False))
def test_graph_and_xla_with_an_unknown_batch_size(jit_compile):
    model = conditional_model()
    inputs, x = tf.constant(some(6, 4)), tf.constant(some(6, D, seed=1))

    def log_prob_sample_and_gradients(inputs, x):
        with tf.GradientTape() as tape:
            y = model(inputs)
            log_prob, sample = y.log_prob(x), y.sample(2, seed=(1, 2))
            loss = tf.reduce_sum(log_prob) + tf.reduce_sum(sample**2)
        return log_prob, sample, *tape.gradient(loss, model.trainable_variables)

    signature = [tf.TensorSpec([None, 4]), tf.TensorSpec([None, D])]
    compiled = tf.function(log_prob_sample_and_gradients, input_signature=signature, jit_compile=jit_compile)
    names = ["log_prob", "sample", *(v.path for v in model.trainable_variables)]
    eager = log_prob_sample_and_gradients(inputs, x)
    for name, one, same in zip(names, compiled(inputs, x), eager, strict=True):
        assert one is not None
        if jit_compile and name != "log_prob":  # under XLA a seed draws other numbers
            assert np.isfinite(one).all()
            assert one.shape == same.shape
        else:
            np.testing.assert_allclose(one, same, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("leading", [(), (4,), (2, 5), (0,)])
def test_any_batch_axes(leading):
    base = MultivariateNormalDiag(D)(some(*leading, 2 * D))
    y = AutoregressiveTransform(made())(base)
    assert (y.batch_shape, y.event_shape) == (leading, (D,))
    assert tf.convert_to_tensor(y).shape == (*leading, D)
    assert y.log_prob(some(*leading, D)).shape == leading


def test_events_with_more_axes_flow_along_the_last():
    network = made(event_shape=4)
    y = AutoregressiveTransform(network)(IndependentNormal((2, 3, 4))(some(5, 48)))
    assert (y.batch_shape, y.event_shape) == ((5,), (2, 3, 4))
    x = some(5, 2, 3, 4)
    log_scale = network(x)[..., 1]
    u = (x - network(x)[..., 0]) * tf.exp(-log_scale)
    expected = IndependentNormal((2, 3, 4))(some(5, 48)).log_prob(u) - tf.reduce_sum(log_scale, axis=(1, 2, 3))
    np.testing.assert_allclose(y.log_prob(x), expected, rtol=1e-5)


def test_symbolic_shape_and_the_seed():
    symbolic = conditional_model().output
    assert (symbolic.shape, symbolic.dtype) == ((None, D), "float32")
    network = made(event_shape=D)
    layer, built = (AutoregressiveTransform(network, seed=2) for _ in range(2))
    built(MultivariateNormalDiag(D)(keras.Input((2 * D,))))
    base = MultivariateNormalDiag(D)
    np.testing.assert_array_equal(layer(base(some(4, 2 * D))), built(base(some(4, 2 * D))))


def test_two_flows_in_a_row_and_a_layer_after_them():
    inputs = keras.Input((2 * D,))
    flow = AutoregressiveTransform(made())(MultivariateNormalDiag(D)(inputs))
    flow = AutoregressiveTransform(made(input_order="right-to-left"))(flow)
    model = keras.Model(inputs, [flow, keras.layers.Rescaling(2.0)(flow)])
    y, doubled = model(some(4, 2 * D))
    assert y.log_prob(some(4, D)).shape == (4,)
    np.testing.assert_allclose(doubled, 2.0 * np.asarray(y), rtol=1e-6)
    assert len(model.trainable_variables) == 8


def test_mean_and_stddev_of_a_flow_of_a_normal():
    """Of a flow of a flow too: 128 fixed draws against many random ones."""
    flows = [AutoregressiveTransform(made(input_order=order)) for order in ("left-to-right", "right-to-left")]
    for base in (MultivariateNormalDiag(D), IndependentNormal(D)):
        y = base(some(4, 2 * D))
        for flow in flows:
            y = flow(y)
            draws = y.sample(20_000, seed=(0, 1)).numpy()
            scale = draws.std(axis=0)
            np.testing.assert_array_less(abs(y.mean() - draws.mean(axis=0)), 0.1 * scale)
            np.testing.assert_allclose(y.stddev(), scale, rtol=0.15)
    of_mixture = flows[0](DistributionLambda(a_mixture)(some(4, D)))
    with pytest.raises(NotImplementedError):
        of_mixture.mean()


@pytest.mark.parametrize("policy", ["mixed_float16", "float64"])
def test_precision(policy, set_policy):
    set_policy(policy)
    model = conditional_model()
    expected = "float64" if policy == "float64" else "float32"
    y = model(some(4, 4))
    assert y.dtype == expected
    assert y.log_prob(some(4, D, dtype=expected)).dtype == expected
    assert model.output.dtype == expected
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(some(4, 4)).log_prob(some(4, D, dtype=expected)))
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, model.trainable_variables))


def test_a_float64_distribution_stays_one():
    y = AutoregressiveTransform(made())(MultivariateNormalDiag(D, dtype="float64")(some(4, 2 * D, dtype="float64")))
    assert y.dtype == tf.float64
    assert y.log_prob(some(4, D, dtype="float64")).dtype == tf.float64
    assert y.sample(seed=1).dtype == tf.float64


@pytest.mark.parametrize("build", slow_except([conditional_model, density_model], conditional_model))
def test_keras_file_round_trip_in_safe_mode(build, tmp_path):
    model = build()
    inputs = some(4, *model.input_shape[1:])
    x = some(4, *model.output_shape[1:])
    model.save(tmp_path / "flow.keras")
    loaded = tfvae.load_model(tmp_path / "flow.keras")
    np.testing.assert_array_equal(model(inputs).log_prob(x), loaded(inputs).log_prob(x))
    np.testing.assert_array_equal(np.asarray(model(inputs)), np.asarray(loaded(inputs)))
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(model(inputs).log_prob(x), clone(inputs).log_prob(x))


def test_config_through_json():
    layer = AutoregressiveTransform(
        made(event_shape=D, input_order="random"),
        convert_to_tensor_fn=twice_the_sample,
        seed=7,
        validate_args=True,
        name="named",
    )
    config = json.dumps(layer.get_config())
    again = AutoregressiveTransform.from_config(json.loads(config))
    assert json.dumps(again.get_config()) == config
    assert again.event_shape == (D,)
    base = MultivariateNormalDiag(D)(some(4, 2 * D))
    layer(base), again(base)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(base).log_prob(some(4, D)), again(base).log_prob(some(4, D)))


def test_a_flow_as_posterior_of_a_vae(tmp_path):
    x = np.random.default_rng(0).integers(0, 2, (12, 6)).astype("float32")
    encoder = keras.Sequential(
        [
            keras.layers.Dense(2 * D),
            MultivariateNormalDiag(D),
            AutoregressiveTransform(made(event_shape=D)),
        ]
    )
    decoder = keras.Sequential([keras.layers.Dense(6), IndependentBernoulli((6,))])
    vae = VAE(encoder, decoder, estimator=SGVB(2, kl="monte_carlo"), seed=0)
    assert vae.latent_shape == (D,)
    vae.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    vae.fit(x, batch_size=12, verbose=0)
    vae.save(tmp_path / "vae.keras")
    np.testing.assert_array_equal(tfvae.load_model(tmp_path / "vae.keras").elbo(x, seed=1), vae.elbo(x, seed=1))


@pytest.mark.slow
def test_a_flow_as_likelihood_of_a_vae():
    x = np.random.default_rng(0).integers(0, 2, (12, 6)).astype("float32")
    likelihood = keras.Sequential(
        [keras.layers.Dense(12), IndependentNormal((6,)), AutoregressiveTransform(made(event_shape=6))]
    )
    encoder = keras.Sequential([keras.layers.Dense(2 * D), MultivariateNormalDiag(D)])
    vae = VAE(encoder, likelihood, StandardNormal(D), SGVB(2), seed=0)
    vae.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    assert np.isfinite(vae.fit(x, batch_size=6, verbose=0).history["elbo"]).all()
    z = some(2, 12, D)
    np.testing.assert_allclose(vae.decode(z).log_prob(x)[1], vae.decode(z[1]).log_prob(x), rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: AutoregressiveTransform(made(params=3)), ValueError, r"params=2.*params=3"),
        (lambda: AutoregressiveTransform(keras.layers.Dense(2)), ValueError, "params=2"),
        (lambda: AutoregressiveTransform(tf.nn.relu), TypeError, "AutoregressiveNetwork"),
        (
            lambda: AutoregressiveTransform(
                made(event_shape=2, conditional=True, conditional_event_shape=1, name="hears_more")
            ),
            ValueError,
            "'hears_more' is conditional",
        ),
        (
            lambda: AutoregressiveTransform(made())(np.zeros((2, 3), "float32")),
            TypeError,
            "transforms the distribution",
        ),
        (
            lambda: AutoregressiveTransform(made())(
                DistributionLambda(lambda t: tfd.Normal(t, 1.0))(np.zeros((2, 3), "float32"))
            ),
            ValueError,
            r"of scalars.*tfd\.Independent",
        ),
    ],
)
def test_what_does_not_fit_is_one_clear_error(make, error, message):
    with pytest.raises(error, match=message):
        make()

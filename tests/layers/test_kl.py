"""The KL term: exact for every spelling of a normal, and counted once, in nats, as a mean over the batch."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except
from small_models import random_bits

import tfvae
from tfvae._kl import exact_kl
from tfvae.layers import (
    IndependentBernoulli,
    IndependentNormal,
    KLDivergenceAddLoss,
    KLDivergenceRegularizer,
    MultivariateNormalDiag,
    MultivariateNormalTriL,
)
from tfvae.layers._coercion import DistributionTensor

tfd = tfp.distributions
PACKAGE = "tests_kl"
D = 3

# Exact KL ----------------------------------------------------------------------------------------------------------


def tril_of(rng, *batch_shape):
    tril = np.tril(rng.normal(scale=0.4, size=(*batch_shape, D, D)), -1)
    tril[..., np.arange(D), np.arange(D)] = rng.uniform(0.5, 1.7, size=(*batch_shape, D))
    return tril


def make_tril(rng, *batch_shape):
    loc, tril = rng.normal(size=(*batch_shape, D)), tril_of(rng, *batch_shape)
    return tfd.MultivariateNormalTriL(loc, tril), loc, tril @ np.swapaxes(tril, -1, -2)


def diagonal(scale):
    return np.square(scale)[..., None] * np.eye(D)


def make_diag(rng, *batch_shape):
    loc, scale = rng.normal(size=(*batch_shape, D)), rng.uniform(0.5, 1.7, size=(*batch_shape, D))
    return tfd.MultivariateNormalDiag(loc, scale), loc, diagonal(scale)


def make_independent(rng, *batch_shape):
    loc, scale = rng.normal(size=(*batch_shape, D)), rng.uniform(0.5, 1.7, size=(*batch_shape, D))
    return tfd.Independent(tfd.Normal(loc, scale), 1), loc, diagonal(scale)


def make_independent_of_narrow_parts(rng, *batch_shape):
    # loc and scale of different shapes, which broadcast inside the Normal.
    loc, scale = rng.normal(size=D), rng.uniform(0.5, 1.7, size=(*batch_shape, 1))
    scales = np.broadcast_to(scale, (*batch_shape, D))
    return tfd.Independent(tfd.Normal(loc, scale), 1), np.broadcast_to(loc, scales.shape), diagonal(scales)


def make_sample(rng, *batch_shape):
    loc, scale = rng.normal(size=batch_shape), rng.uniform(0.5, 1.7, size=batch_shape)
    spread = np.ones(D)
    return (
        tfd.Sample(tfd.Normal(np.float64(loc), np.float64(scale)), D),
        np.multiply.outer(loc, spread),
        diagonal(np.multiply.outer(scale, spread)),
    )


SPELLINGS = {
    "tril": make_tril,
    "diag": make_diag,
    "independent": make_independent,
    "narrow": make_independent_of_narrow_parts,
    "sample": make_sample,
}
PAIRS = [(a, b) for a in SPELLINGS for b in SPELLINGS]


def numpy_kl(loc_a, covariance_a, loc_b, covariance_b):
    inverse, difference = np.linalg.inv(covariance_b), loc_b - loc_a
    return 0.5 * (
        np.trace(inverse @ covariance_a, axis1=-2, axis2=-1)
        + np.einsum("...i,...ij,...j->...", difference, inverse, difference)
        - D
        + np.linalg.slogdet(covariance_b)[1]
        - np.linalg.slogdet(covariance_a)[1]
    )


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_exact_kl_of_every_pair_of_spellings(a, b):
    assert_exact_kl_is_numpys(a, b, (2, 1), (4,))


@pytest.mark.parametrize(("shape_a", "shape_b"), [((), ()), ((4,), ()), ((4,), (4,)), ((2, 4), (4,))])
@pytest.mark.parametrize(("a", "b"), [("tril", "narrow"), ("sample", "independent")])
def test_exact_kl_of_every_batch_shape(a, b, shape_a, shape_b):
    assert_exact_kl_is_numpys(a, b, shape_a, shape_b)


def assert_exact_kl_is_numpys(a, b, shape_a, shape_b):
    rng = np.random.default_rng(0)
    p, loc_p, covariance_p = SPELLINGS[a](rng, *shape_a)
    q, loc_q, covariance_q = SPELLINGS[b](rng, *shape_b)
    expected = numpy_kl(loc_p, covariance_p, loc_q, covariance_q)
    actual = exact_kl(p, q)
    assert actual.shape == np.broadcast_shapes(shape_a, shape_b)
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(tfd.kl_divergence(p, q), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("a", "b"),
    slow_except(PAIRS, ("tril", "diag"), ("independent", "tril"), ("narrow", "sample"), ("sample", "narrow")),
)
def test_exact_kl_is_the_mean_of_the_log_ratio(a, b):
    rng = np.random.default_rng(1)
    p, q = SPELLINGS[a](rng, 2)[0], SPELLINGS[b](rng)[0]
    z = p.sample(10_000, seed=(1, 2))
    log_ratio = (p.log_prob(z) - q.log_prob(z)).numpy()
    standard_error = log_ratio.std(axis=0, ddof=1) / np.sqrt(len(log_ratio))
    np.testing.assert_array_less(np.abs(log_ratio.mean(axis=0) - exact_kl(p, q)), 5 * standard_error + 1e-12)


@pytest.mark.parametrize(("a", "b"), [("tril", "independent"), ("independent", "sample"), ("sample", "diag")])
def test_exact_kl_takes_what_layers_return(a, b):
    rng = np.random.default_rng(2)
    p, q = SPELLINGS[a](rng, 4)[0], SPELLINGS[b](rng)[0]
    wrapped_p = DistributionTensor(p, lambda d: d.sample(seed=(1, 2)))
    wrapped_q = DistributionTensor(q, lambda d: d.sample(seed=(1, 2)))
    expected = exact_kl(p, q)
    for left, right in ((wrapped_p, q), (p, wrapped_q), (wrapped_p, wrapped_q)):
        np.testing.assert_array_equal(tfd.kl_divergence(left, right), expected)
        np.testing.assert_array_equal(left.kl_divergence(right), expected)


def test_exact_kl_of_image_shaped_normals():
    rng = np.random.default_rng(3)
    loc, scale = rng.normal(size=(4, 2, 3, 1)), rng.uniform(0.5, 1.5, size=(4, 2, 3, 1))
    p = tfd.Independent(tfd.Normal(loc, scale), 3)
    one = np.float64(1.0)
    q = tfd.Sample(tfd.Normal(0.0 * one, one), (2, 3, 1))
    expected = np.sum(0.5 * (loc**2 + scale**2 - 1) - np.log(scale), axis=(1, 2, 3))
    np.testing.assert_allclose(exact_kl(p, q), expected)
    np.testing.assert_allclose(exact_kl(p, tfd.Independent(tfd.Normal(np.zeros((2, 3, 1)), one), 3)), expected)
    reverse = np.sum(0.5 * ((loc**2 + 1) / scale**2 - 1) + np.log(scale), axis=(1, 2, 3))
    np.testing.assert_allclose(exact_kl(q, p), reverse)


@pytest.mark.parametrize("jit_compile", slow_except([False, True], True))
def test_exact_kl_and_its_gradient_with_an_unknown_batch_size(jit_compile):
    priors = [
        tfd.Independent(tfd.Normal(tf.constant([0.3, 0.0, -1.0]), 1.5), 1),
        tfd.Sample(tfd.Normal(0.2, 0.7), D),
        tfd.MultivariateNormalDiag(tf.constant([0.3, 0.0, -1.0]), tf.constant([1.5, 1.0, 0.4])),
    ]

    layer = MultivariateNormalTriL(D)

    def kl_and_gradient(parameters):
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            q = layer(parameters)
            kls = [tfd.kl_divergence(q, prior) for prior in priors]
            total = tf.add_n(kls)
        return kls, tape.gradient(total, parameters)

    signature = [tf.TensorSpec([None, 9], tf.float32)]
    compiled = tf.function(kl_and_gradient, input_signature=signature, jit_compile=jit_compile)
    parameters = tf.constant(np.random.default_rng(0).normal(size=(4, 9)), tf.float32)
    kls, gradient = kl_and_gradient(parameters)
    compiled_kls, compiled_gradient = compiled(parameters)
    np.testing.assert_allclose(compiled_kls, kls, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(compiled_gradient, gradient, rtol=1e-4, atol=1e-5)


def test_unknown_pairs_stay_unknown_and_unequal_ranks_are_refused():
    normal, laplace = tfd.Sample(tfd.Normal(0.0, 1.0), D), tfd.Sample(tfd.Laplace(0.0, 1.0), D)
    with pytest.raises(NotImplementedError):
        exact_kl(tfd.MultivariateNormalDiag(tf.zeros(D)), laplace)
    with pytest.raises(ValueError, match="equal event shapes"):
        exact_kl(tfd.MultivariateNormalDiag(tf.zeros(D)), tfd.Independent(tfd.Normal(tf.zeros((2, D)), 1.0), 2))
    with pytest.raises(ValueError, match="equal event shapes"):
        exact_kl(normal, tfd.Independent(tfd.Normal(tf.zeros((2, D)), 1.0), 2))


@pytest.mark.parametrize(("a", "b"), [("independent", "sample"), ("sample", "independent"), ("diag", "sample")])
def test_event_sizes_that_broadcast_are_no_kl(a, b):
    def make(name, size):
        zeros = tf.zeros([size])
        return {
            "independent": tfd.Independent(tfd.Normal(zeros, 1.0), 1),
            "sample": tfd.Sample(tfd.Normal(0.0, 1.0), size),
            "diag": tfd.MultivariateNormalDiag(zeros),
        }[name]

    for sizes in ((1, 3), (3, 1)):
        with pytest.raises((ValueError, NotImplementedError, tf.errors.InvalidArgumentError)):
            exact_kl(make(a, sizes[0]), make(b, sizes[1]))


# The regulariser itself --------------------------------------------------------------------------------------------


def standard_normals(dtype=tf.float32):
    zeros, one = tf.zeros(D, dtype), tf.ones([], dtype)
    return {
        "diag": tfd.MultivariateNormalDiag(zeros, tf.ones_like(zeros)),
        "tril": tfd.MultivariateNormalTriL(zeros, tf.eye(D, dtype=dtype)),
        "independent": tfd.Independent(tfd.Normal(zeros, one), reinterpreted_batch_ndims=1),
        "sample": tfd.Sample(tfd.Normal(zeros[0], one), sample_shape=D),
        "sample of a list": tfd.Sample(tfd.Normal(zeros[0], one), sample_shape=[D]),
    }


@keras.saving.register_keras_serializable(package=PACKAGE)
def make_prior():
    return tfd.MultivariateNormalDiag(tf.zeros(D), tf.ones(D))


@keras.saving.register_keras_serializable(package=PACKAGE)
def seven_points(distribution):
    return distribution.sample(7, seed=(1, 2))


@keras.saving.register_keras_serializable(package=PACKAGE)
def a_third():
    return 1.0 / 3.0


def parameters_of(batch_size, size=2 * D, dtype="float32"):
    return np.random.default_rng(batch_size).normal(size=(batch_size, size)).astype(dtype)


def numpy_kl_of_diag(parameters):
    loc, scale = parameters[:, :D], np.log1p(np.exp(parameters[:, D:])) + 1e-5
    return np.sum(0.5 * (loc**2 + scale**2 - 1) - np.log(scale), axis=1)


PRIORS = [*standard_normals(), "callable", "layer", "wrapped"]


def prior_named(name):
    special = {
        "callable": make_prior,
        "layer": tfvae.priors.StandardNormal(D),
        "wrapped": DistributionTensor(make_prior(), lambda d: d.sample()),
    }
    return {**standard_normals(), **special}[name]


@pytest.mark.parametrize(
    ("batch_size", "name"),
    slow_except(
        itertools.product([1, 8, 37], PRIORS),
        *((37, name) for name in ("tril", "sample", "callable", "layer")),
        (1, "diag"),
        (8, "wrapped"),
    ),
)
def test_regulariser_and_layer_are_the_mean_over_the_batch(name, batch_size):
    parameters = parameters_of(batch_size)
    expected = numpy_kl_of_diag(parameters).mean()
    y = MultivariateNormalDiag(D)(parameters)
    np.testing.assert_allclose(KLDivergenceRegularizer(prior_named(name))(y), expected, rtol=1e-5)
    layer = MultivariateNormalDiag(D, activity_regularizer=KLDivergenceRegularizer(prior_named(name)))
    layer(parameters)
    np.testing.assert_allclose(layer.losses, [expected], rtol=1e-5)
    add_loss = KLDivergenceAddLoss(prior_named(name))
    assert add_loss(y) is y
    np.testing.assert_allclose(add_loss.losses, [expected], rtol=1e-5)


@pytest.mark.parametrize("batch_shape", [(5, 8), (2, 3, 4)])
def test_regulariser_averages_every_batch_axis(batch_shape):
    parameters = np.random.default_rng(0).normal(size=(*batch_shape, 2 * D)).astype("float32")
    y = MultivariateNormalDiag(D)(parameters)
    expected = numpy_kl_of_diag(parameters.reshape(-1, 2 * D)).mean()
    np.testing.assert_allclose(KLDivergenceRegularizer(make_prior)(y), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("batch_size", "num_points"),
    slow_except(itertools.product([1, 8, 37], [1, 4_000]), (1, 4_000), (8, 1), (37, 4_000)),
)
def test_monte_carlo_has_the_exact_scale_whatever_the_number_of_points(batch_size, num_points):
    parameters = parameters_of(batch_size)
    y = MultivariateNormalDiag(D)(parameters)
    z = y.sample(num_points, seed=(3, 4))
    regularizer = KLDivergenceRegularizer(make_prior, use_exact_kl=False, test_points_fn=lambda d: z)
    by_hand = (y.log_prob(z) - make_prior().log_prob(z)).numpy()  # [points, B]
    estimate = float(regularizer(y))
    np.testing.assert_allclose(estimate, by_hand.mean(), rtol=1e-4)
    if num_points > 1:
        standard_error = by_hand.mean(axis=1).std(ddof=1) / np.sqrt(num_points)
        assert abs(estimate - numpy_kl_of_diag(parameters).mean()) < 5 * standard_error


@pytest.mark.parametrize("axis", [(), 0, None, (0, 1)])
def test_reduce_axis_of_tfp_never_changes_the_scale(axis):
    y = MultivariateNormalDiag(D)(parameters_of(8))
    scales = [
        KLDivergenceRegularizer(make_prior, False, test_points_reduce_axis=a, test_points_fn=seven_points)(y)
        for a in ((), axis)
    ]
    np.testing.assert_array_equal(*scales)


def test_monte_carlo_uses_the_sample_that_the_next_layer_sees():
    parameters = parameters_of(8)
    layer = MultivariateNormalDiag(D, activity_regularizer=KLDivergenceRegularizer(make_prior, use_exact_kl=False))
    y = layer(parameters)
    z = tf.convert_to_tensor(y)
    expected = tf.reduce_mean(y.log_prob(z) - make_prior().log_prob(z))
    np.testing.assert_allclose(layer.losses[0], expected, rtol=1e-5)


def test_without_a_closed_form_none_means_monte_carlo_and_true_an_error():
    laplace = tfd.Independent(tfd.Laplace(tf.zeros(D), 1.0), 1)
    y = MultivariateNormalDiag(D)(parameters_of(8))
    z = tf.convert_to_tensor(y)
    expected = tf.reduce_mean(y.log_prob(z) - laplace.log_prob(z))
    np.testing.assert_allclose(KLDivergenceRegularizer(laplace)(y), expected, rtol=1e-5)
    with pytest.raises(NotImplementedError):
        KLDivergenceRegularizer(laplace, use_exact_kl=True)(y)


def test_weight_is_a_number_a_callable_or_a_variable():
    y = MultivariateNormalDiag(D)(parameters_of(8))
    once = float(KLDivergenceRegularizer(make_prior)(y))
    for variable in (tf.Variable(0.5), keras.Variable(0.5), tf.Variable(0.5, dtype=tf.float64)):
        regularizer = KLDivergenceRegularizer(make_prior, weight=variable)
        np.testing.assert_allclose(regularizer(y), 0.5 * once, rtol=1e-6)
        variable.assign(0.25)
        np.testing.assert_allclose(regularizer(y), 0.25 * once, rtol=1e-6)
    for weight in (2, 2.0, np.float32(2.0), tf.constant(2.0), lambda: 2.0):
        np.testing.assert_allclose(KLDivergenceRegularizer(make_prior, weight=weight)(y), 2 * once, rtol=1e-6)
    np.testing.assert_array_equal(KLDivergenceRegularizer(make_prior, weight=0.0)(y), 0.0)


@pytest.mark.parametrize(
    "prior",
    [
        tfd.Independent(tfd.Normal(tf.zeros(D + 1), 1.0), 1),
        tfd.Normal(tf.zeros(D), 1.0),
        tfd.Sample(tfd.Normal(0.0, 1.0), (1,)),
        tfd.Sample(tfd.Normal(0.0, 1.0), (D, 1)),
    ],
    ids=["longer", "batch axis", "size one", "more axes"],
)
@pytest.mark.parametrize("use_exact_kl", [None, True, False])
def test_unequal_event_shapes_are_an_error(prior, use_exact_kl):
    y = MultivariateNormalDiag(D)(parameters_of(8))
    with pytest.raises(ValueError, match="event shape") as caught:
        KLDivergenceRegularizer(prior, use_exact_kl)(y)
    assert str(prior.event_shape) in str(caught.value)
    assert "(3,)" in str(caught.value)
    layer = MultivariateNormalDiag(D, activity_regularizer=KLDivergenceRegularizer(prior, use_exact_kl))
    with pytest.raises(ValueError, match="event shape"):
        layer(parameters_of(8))


def test_what_is_no_distribution_is_an_error():
    with pytest.raises(TypeError, match="distribution layer"):
        KLDivergenceRegularizer(make_prior)(tf.zeros([8, D]))
    with pytest.raises(TypeError, match="prior"):
        KLDivergenceRegularizer("normal")(MultivariateNormalDiag(D)(parameters_of(8)))


ARGUMENTS = {
    "defaults": {},
    "number": {"weight": 0.5},
    "callable weight": {"weight": a_third},
    "monte carlo": {"use_exact_kl": False, "test_points_fn": seven_points},
}


@pytest.mark.parametrize(
    ("name", "arguments"),
    slow_except(
        itertools.product(PRIORS, ARGUMENTS),
        *((name, "defaults") for name in ("tril", "sample of a list", "wrapped")),  # the others are saved below
        *((PRIORS[0], arguments) for arguments in ARGUMENTS),
    ),
)
def test_config_through_json(name, arguments):
    arguments = ARGUMENTS[arguments]
    regularizer = KLDivergenceRegularizer(prior_named(name), **arguments)
    config = json.dumps(regularizer.get_config())
    again = KLDivergenceRegularizer.from_config(json.loads(config))
    assert json.dumps(again.get_config()) == config
    y = MultivariateNormalDiag(D, seed=1)(parameters_of(8))
    np.testing.assert_allclose(regularizer(y), again(y), rtol=1e-6)
    layer = KLDivergenceAddLoss(prior_named(name), name="kl", **arguments)
    layer_config = json.dumps(layer.get_config())
    layer_again = KLDivergenceAddLoss.from_config(json.loads(layer_config))
    assert json.dumps(layer_again.get_config()) == layer_config
    assert layer_again.name == "kl"
    layer_again(y)
    np.testing.assert_allclose(layer_again.losses, [regularizer(y)], rtol=1e-6)


def test_config_refuses_what_it_would_lose():
    with pytest.raises(ValueError, match="variable"):
        KLDivergenceRegularizer(tfd.MultivariateNormalDiag(tf.Variable(tf.zeros(D), trainable=False))).get_config()
    for arguments in ({"distribution_b": lambda: make_prior()}, {"distribution_b": make_prior, "weight": lambda: 0.5}):
        regularizer = KLDivergenceRegularizer(**arguments)
        assert (
            KLDivergenceRegularizer.from_config(regularizer.get_config()).distribution_b is regularizer.distribution_b
        )
        with pytest.raises(ValueError, match="register_keras_serializable"):
            keras.saving.serialize_keras_object(regularizer)


def test_variables_of_a_prior_that_would_not_train_are_refused():
    priors = [
        tfd.MultivariateNormalDiag(tf.Variable(tf.zeros(D))),
        tfd.Independent(tfd.Normal(tf.zeros(D), tf.Variable(1.0)), 1),
    ]
    y = MultivariateNormalDiag(D)(parameters_of(8))
    for prior in priors:
        with pytest.raises(ValueError, match=r"tfvae\.priors\.Normal"):
            KLDivergenceRegularizer(prior)
        with pytest.raises(ValueError, match=r"tfvae\.priors\.Normal"):
            KLDivergenceRegularizer(lambda prior=prior: prior)(y)


def test_float64_prior_and_posterior():
    parameters = tf.constant(parameters_of(8, dtype="float64"))
    y = MultivariateNormalDiag(D, dtype="float64")(parameters)
    kl = KLDivergenceRegularizer(standard_normals(tf.float64)["independent"])(y)
    assert kl.dtype == tf.float64
    np.testing.assert_allclose(kl, numpy_kl_of_diag(parameters.numpy()).mean(), rtol=1e-12)
    weighted = KLDivergenceRegularizer(standard_normals(tf.float64)["independent"], weight=0.3)(y)
    np.testing.assert_allclose(weighted, 0.3 * kl, rtol=1e-12)


def test_mixed_precision_keeps_the_kl_in_float32(set_policy):
    set_policy("mixed_float16")
    layer = MultivariateNormalDiag(D, activity_regularizer=KLDivergenceRegularizer(make_prior))
    model = keras.Sequential([keras.layers.Dense(2 * D), layer, KLDivergenceAddLoss(make_prior)])
    model(np.full((8, 4), 20.0, "float32"))
    assert [loss.dtype for loss in model.losses] == [tf.float32, tf.float32]
    np.testing.assert_allclose(*model.losses)


# The term in Keras' hands: counted once -----------------------------------------------------------------------------


def negative_log_likelihood(x, rv_x):
    return -rv_x.log_prob(x)


def tutorial_model(regularizer=None, add_loss=None, convert_to_tensor_fn="sample"):
    """TFP's VAE tutorial with its import lines changed, on 8x8 images."""
    tfpl, tfkl, tfk = tfvae.layers, keras.layers, keras
    encoded_size, base_depth, input_shape = D, 4, (8, 8, 1)
    encoder = tfk.Sequential(
        [
            tfkl.InputLayer(shape=input_shape),
            tfkl.Lambda(lambda x: keras.ops.cast(x, "float32") - 0.5),
            tfkl.Conv2D(base_depth, 3, strides=2, padding="same", activation=tf.nn.leaky_relu),
            tfkl.Flatten(),
            tfkl.Dense(tfpl.MultivariateNormalTriL.params_size(encoded_size), activation=None),
            tfpl.MultivariateNormalTriL(
                encoded_size, activity_regularizer=regularizer, convert_to_tensor_fn=convert_to_tensor_fn
            ),
            *([] if add_loss is None else [add_loss]),
        ]
    )
    decoder = tfk.Sequential(
        [
            tfkl.InputLayer(shape=[encoded_size]),
            tfkl.Reshape([1, 1, encoded_size]),
            tfkl.Conv2DTranspose(base_depth, 4, strides=1, padding="valid", activation=tf.nn.leaky_relu),
            tfkl.Conv2DTranspose(base_depth, 3, strides=2, padding="same", activation=tf.nn.leaky_relu),
            tfkl.Conv2D(filters=1, kernel_size=3, strides=1, padding="same", activation=None),
            tfkl.Flatten(),
            tfpl.IndependentBernoulli(input_shape, tfd.Bernoulli.logits),
        ]
    )
    return encoder, decoder, tfk.Model(inputs=encoder.inputs, outputs=decoder(encoder.outputs[0]))


def images(batch_size):
    return random_bits(batch_size, (8, 8, 1))


def tutorial_prior():
    return tfd.Independent(tfd.Normal(loc=tf.zeros(D), scale=1), reinterpreted_batch_ndims=1)


@pytest.mark.parametrize("jit_compile", slow_except(["auto", False], False))
def test_tutorial_program_runs_and_trains(jit_compile):
    encoder, decoder, vae = tutorial_model(KLDivergenceRegularizer(tutorial_prior()))
    optimizer = keras.optimizers.Adam(learning_rate=1e-2)
    vae.compile(optimizer=optimizer, loss=negative_log_likelihood, jit_compile=jit_compile)
    x = np.tile(images(4), (16, 1, 1, 1))
    train = tf.data.Dataset.from_tensor_slices((x, x)).shuffle(64, seed=0).batch(16)  # of one size: XLA compiles once
    evaluation = tf.data.Dataset.from_tensor_slices((x, x)).batch(16)
    before = vae.evaluate(evaluation, verbose=0)
    history = vae.fit(train, epochs=5, validation_data=evaluation, verbose=0).history
    assert set(history) == {"loss", "val_loss"}
    assert history["val_loss"][-1] < before
    assert vae.evaluate(evaluation, verbose=0) < before
    assert vae.predict(x, verbose=0).shape == x.shape
    xhat = vae(x[:10])
    assert isinstance(xhat, tfd.Distribution)
    z = tutorial_prior().sample(10)
    for rv in (xhat, decoder(z), decoder(encoder(x[:10]))):
        for value in (rv.mode(), rv.mean(), rv.sample()):
            assert value.shape == (10, 8, 8, 1)
    assert encoder(x[:10]).stddev().shape == (10, D)


def test_loss_under_xla_is_nll_plus_each_kl_once():
    inputs = keras.Input((5,))
    q = MultivariateNormalDiag(D, "mean", activity_regularizer=KLDivergenceRegularizer(tutorial_prior()))
    q = KLDivergenceAddLoss(tutorial_prior(), weight=3.0)(q(keras.layers.Dense(2 * D)(inputs)))
    vae = keras.Model(inputs, IndependentBernoulli((5,))(keras.layers.Dense(5)(q)))
    vae.compile(keras.optimizers.SGD(0.0), loss=negative_log_likelihood, jit_compile=True)
    x = random_bits(37, (5,))
    nll, kl = -np.mean(vae(x).log_prob(x)), numpy_kl_of_diag(np.asarray(vae.layers[1](x))).mean()
    assert kl > 1e-3 * nll, "else the test could not see it"
    np.testing.assert_allclose(vae.train_on_batch(x, x), nll + 4.0 * kl, rtol=1e-4)


@pytest.mark.parametrize(
    ("spelling", "jit_compile"), [("regularizer", False), ("regularizer", True), ("add_loss", False)]
)
@pytest.mark.slow
def test_evaluate_is_nll_plus_kl_once(spelling, jit_compile):
    kl_of = {
        "regularizer": {"regularizer": KLDivergenceRegularizer(tutorial_prior())},
        "add_loss": {"add_loss": KLDivergenceAddLoss(tutorial_prior())},
    }[spelling]
    encoder, decoder, vae = tutorial_model(**kl_of, convert_to_tensor_fn="mean")
    vae.compile(keras.optimizers.SGD(0.0), loss=negative_log_likelihood, jit_compile=jit_compile)
    for batch_size in (37,) if jit_compile else (1, 8, 37):
        x = images(batch_size)
        q = encoder(x)
        nll = -np.mean(decoder(q.mean()).log_prob(x))
        kl = np.mean(exact_kl(q._distribution, tutorial_prior()))
        assert kl > 1e-3 * nll, "else the test could not see it"
        np.testing.assert_allclose(vae.evaluate(x, x, batch_size=64, verbose=0), nll + kl, rtol=1e-4)
        np.testing.assert_allclose(vae.train_on_batch(x, x), nll + kl, rtol=1e-4)


@pytest.fixture(scope="module")
def weighted():
    """A compiled model whose posterior is its mean, the encoder in it, and the weight of the KL term."""
    variable = keras.Variable(99.0, trainable=False)
    encoder, _, vae = tutorial_model(KLDivergenceRegularizer(tutorial_prior(), weight=variable), None, "mean")
    vae.compile(keras.optimizers.SGD(1.0), loss=negative_log_likelihood, jit_compile=False)
    return vae, encoder, variable


def test_evaluate_sees_the_kl_with_its_weight(weighted):
    vae, encoder, variable = weighted
    x = images(37)
    vae.evaluate(x, x, batch_size=64, verbose=0)
    nll = np.mean(-vae(x).log_prob(x))
    kl = np.mean(exact_kl(encoder(x)._distribution, tutorial_prior()))
    for weight in (0.0, 1.0, 10.0):
        variable.assign(weight)  # after the step was compiled
        np.testing.assert_allclose(vae.evaluate(x, x, batch_size=64, verbose=0), nll + weight * kl, rtol=1e-4)


def test_uneven_last_batch_counts_by_its_examples(weighted):
    vae, encoder, variable = weighted
    variable.assign(1.0)
    x = images(37)
    x[32:] = 1.0  # the last batch unlike the others
    expected = np.mean(-vae(x).log_prob(x)) + np.mean(exact_kl(encoder(x)._distribution, tutorial_prior()))
    np.testing.assert_allclose(vae.evaluate(x, x, batch_size=16, verbose=0), expected, rtol=1e-4)


def test_monte_carlo_in_evaluate_is_within_its_standard_error():
    regularizer = KLDivergenceRegularizer(tutorial_prior(), use_exact_kl=False, test_points_fn=seven_points)
    encoder, _, vae = tutorial_model(regularizer, None, "mean")
    vae.compile(loss=negative_log_likelihood, run_eagerly=True)
    x = images(37)
    q = encoder(x)
    z = seven_points(q)
    by_hand = np.mean(q.log_prob(z) - tutorial_prior().log_prob(z))
    loss = vae.evaluate(x, x, batch_size=64, verbose=0)
    np.testing.assert_allclose(loss, np.mean(-vae(x).log_prob(x)) + by_hand, rtol=1e-4)


def test_kl_is_in_the_gradient_once(weighted):
    vae, encoder, variable = weighted
    variable.assign(1.0)
    x = images(8)
    with tf.GradientTape() as tape:
        q = encoder(x)
        loss = tf.reduce_mean(exact_kl(q._distribution, tutorial_prior()))
        loss += tf.reduce_mean(-vae(x).log_prob(x))
    expected = tape.gradient(loss, vae.trainable_variables)
    before = [tf.identity(v) for v in vae.trainable_variables]
    vae.train_on_batch(x, x)
    for old, new, gradient in zip(before, vae.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(old - new, gradient, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 8, 37])
def test_other_activity_regularisers_follow_keras(batch_size):
    """Keras divides an activity regulariser's sum by the batch size."""
    x = np.random.default_rng(0).normal(size=(batch_size, 2)).astype("float32")
    plain = keras.layers.Dense(2, activity_regularizer=keras.regularizers.L2(0.3), kernel_initializer="identity")
    plain(x)
    layer = IndependentNormal((2,), "mean", activity_regularizer=keras.regularizers.L2(0.3))
    layer(np.concatenate([x, np.zeros_like(x)], axis=1))
    np.testing.assert_allclose(layer.losses, plain.losses, rtol=1e-5)
    by_name = IndependentNormal((2,), "mean", activity_regularizer="l2")
    by_name(np.concatenate([x, np.zeros_like(x)], axis=1))
    np.testing.assert_allclose(by_name.losses[0], 0.01 * np.sum(x**2) / batch_size, rtol=1e-5)


def test_model_with_the_term_survives_its_file(tmp_path):
    """Every kind of prior, all of them standard normals, as a regulariser and as a layer."""
    inputs = keras.Input((5,))
    parameters, means = keras.layers.Dense(2 * D)(inputs), []
    for name in ("independent", "sample", "layer", "callable"):
        regularizer = KLDivergenceRegularizer(prior_named(name), weight=2.0)
        q = MultivariateNormalDiag(D, "mean", activity_regularizer=regularizer)(parameters)
        means.append(KLDivergenceAddLoss(prior_named(name))(q))
    model = keras.Model(inputs, IndependentBernoulli((5,))(keras.layers.Dense(5)(keras.layers.Add()(means))))
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = tfvae.load_model(path)
    x = np.random.default_rng(0).normal(size=(8, 5)).astype("float32")
    model(x)
    loaded(x)
    assert len(loaded.losses) == 8
    np.testing.assert_allclose(loaded.losses, model.losses, rtol=1e-6)
    losses = np.sort(model.losses)
    np.testing.assert_allclose(losses[:4], losses[0], rtol=1e-6)
    np.testing.assert_allclose(losses[4:], 2 * losses[0], rtol=1e-6)


def test_add_loss_in_the_middle_passes_the_same_sample_on():
    inputs = keras.Input((2 * D,))
    q = MultivariateNormalDiag(D)(inputs)
    passed = KLDivergenceAddLoss(make_prior)(q)
    assert passed.shape == (None, D)
    model = keras.Model(inputs, [keras.layers.Rescaling(1.0)(q), keras.layers.Rescaling(1.0)(passed)])
    a, b = model(parameters_of(8))
    np.testing.assert_array_equal(a, b)


def test_losses_do_not_pile_up():
    layer = MultivariateNormalDiag(D, activity_regularizer=KLDivergenceRegularizer(make_prior))
    model = keras.Sequential([keras.layers.Dense(2 * D), layer])
    for _ in range(3):
        model(np.ones((8, 4), "float32"))
        assert len(model.losses) == 1

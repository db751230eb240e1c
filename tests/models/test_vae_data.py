"""Whatever form data and weights come in: the right numbers, or one clear error."""

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

import tfvae
from tfvae import layers
from tfvae.callbacks import NonFiniteLossError
from tfvae.estimators import Estimate
from tfvae.export.real_examples import real_examples
from tfvae.models import VAE
from tfvae.models._checks import warn_about_scale
from tfvae.models._weights import as_weights, per_example

D, SIZE, N = 2, 4, 10
X = np.random.default_rng(0).integers(0, 2, size=(N, SIZE)).astype("float32")
WEIGHTS = np.random.default_rng(1).uniform(0, 3, N).astype("float32")
COLUMN = WEIGHTS[:, None]


class AtMean:
    """The ELBO with z at the posterior's mean: an estimate without chance."""

    def __call__(self, problem, *, beta=1.0, seed=None):
        z, scale = problem.posterior.mean(), problem.posterior.stddev()
        log_likelihood = problem.generate(z).log_prob(problem.x)
        kl = tf.reduce_sum((z**2 + scale**2 - 1.0) / 2.0 - tf.math.log(scale), axis=-1)
        return Estimate(beta * kl - log_likelihood, log_likelihood - kl, log_likelihood, kl)


def make_vae(likelihood=layers.IndependentBernoulli):
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential([keras.Input((SIZE,)), keras.layers.Dense(2 * D), layers.IndependentNormal((D,))])
    decoder = keras.Sequential(
        [keras.Input((D,)), keras.layers.Dense(likelihood.params_size(SIZE)), likelihood((SIZE,))]
    )
    vae = VAE(encoder, decoder, tfvae.priors.StandardNormal(D), AtMean(), seed=3)
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    return vae


@pytest.fixture(scope="module")
def vae():
    """One that no fit changes."""
    return make_vae()


@pytest.fixture(scope="module")
def eager_vae(vae):
    """The same, without graphs: for what happens before a step."""
    eager = VAE(vae.encoder, vae.decoder, vae.prior, AtMean(), seed=3)
    eager.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    return eager


@pytest.fixture(scope="module")
def weighted(vae):
    """What a pass with WEIGHTS reports, by hand."""
    estimate = vae.estimate(X)
    terms = {"elbo": estimate.bound, "log_likelihood": estimate.log_likelihood, "kl": estimate.kl}
    found = {name: np.average(term, weights=WEIGHTS) for name, term in terms.items()}
    return {**found, "loss": np.mean(estimate.surrogate_loss * WEIGHTS)}


def batches(*parts, size=4):
    return tf.data.Dataset.from_tensor_slices(parts if len(parts) > 1 else parts[0]).batch(size)


class Batches(keras.utils.PyDataset):
    """Batches of four, with weights of shape [B, 1]."""

    def __len__(self):
        return 3

    def __getitem__(self, i):
        rows = slice(4 * i, 4 * i + 4)
        return X[rows], X[rows], COLUMN[rows]


def assert_reported(found, expected, prefix=""):
    for name, value in expected.items():
        np.testing.assert_allclose(found[prefix + name], value, rtol=1e-5)


# Sample weights ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap",
    [
        lambda w: w,
        lambda w: w[:, None],
        lambda w: w[:, None, None],
        lambda w: w.tolist(),
        lambda w: [w],
        lambda w: tf.constant(w[:, None], tf.float32),
        lambda w: scipy.sparse.csr_matrix(w[:, None]),
        lambda w: pytest.importorskip("pandas").Series(w, index=range(50, 50 + N)),
        lambda w: pytest.importorskip("pandas").DataFrame({"w": w}),
    ],
)
def test_weights_in_any_form(vae, weighted, wrap):
    assert_reported(vae.evaluate(X, sample_weight=wrap(WEIGHTS), batch_size=4, verbose=0, return_dict=True), weighted)


def test_weights_wherever_they_come_from(vae, weighted):
    history = vae.fit(
        X, sample_weight=COLUMN, batch_size=4, shuffle=False, validation_data=(X, None, COLUMN), verbose=0
    ).history
    assert_reported({name: values[0] for name, values in history.items()}, weighted)
    assert_reported({name: values[0] for name, values in history.items()}, weighted, "val_")
    for data in (batches(X, X, COLUMN), Batches()):
        assert_reported(vae.evaluate(data, verbose=0, return_dict=True), weighted)
    # Another rank in the same model: not traced for both at once.
    assert_reported(vae.evaluate(batches(X, X, WEIGHTS), verbose=0, return_dict=True), weighted)


@pytest.mark.slow
def test_weights_of_single_batches(vae, weighted):
    assert_reported(vae.test_on_batch(X, sample_weight=COLUMN, return_dict=True), weighted)
    assert_reported(vae.train_on_batch(X, sample_weight=COLUMN, return_dict=True), weighted)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (WEIGHTS[:5], r"shape \(10,\) or \(10, 1\).*Received: sample_weight of shape \(5,\)"),
        (np.stack([WEIGHTS, WEIGHTS], 1), r"Received: sample_weight of shape \(10, 2\)"),
        (WEIGHTS[None], r"Received: sample_weight of shape \(1, 10\)"),
        (2.0, r"Received: sample_weight of shape \(\)"),
        (np.where(np.arange(N) == 3, np.nan, WEIGHTS), "NaN or infinite, the first at index 3"),
        (np.ma.masked_less(WEIGHTS, 1), "sample_weight is a masked array"),
        (np.array(["a"] * N), "sample_weight has dtype <U1"),
        ({"x": WEIGHTS}, "of type dict"),
    ],
)
def test_weights_that_are_not_one_an_example(vae, weights, message):
    for way_in in (
        lambda: vae.fit(X, sample_weight=weights, verbose=0),
        lambda: vae.evaluate(X, sample_weight=weights, verbose=0),
        lambda: vae.fit(X, validation_data=(X, None, weights), verbose=0),
        lambda: vae.train_on_batch(X, sample_weight=weights),
    ):
        with pytest.raises(ValueError, match=message):
            way_in()


def test_bad_weights_in_a_data_set(vae):
    for weights, message in ((np.stack([WEIGHTS] * 2, 1), r"\(4, 2\)"), (np.full(N, np.inf), "NaN or infinite")):
        with pytest.raises(ValueError, match=message):
            vae.fit(batches(X, X, weights), verbose=0)


def test_weights_of_a_batch():
    x = tf.zeros([3, SIZE])
    assert as_weights(None) is None
    assert per_example(None, x) is None
    for shape in ([3], [3, 1], [3, 1, 1]):
        assert per_example(tf.ones(shape), x).shape == [3]
    for shape in ([], [3, 2], [4], [1, 3]):
        with pytest.raises(ValueError, match="one weight per example"):
            per_example(tf.ones(shape), x)

    @tf.function(input_signature=[tf.TensorSpec(None), tf.TensorSpec([None, SIZE])])
    def of_unknown_rank(weights, x):
        return per_example(weights, x)

    assert of_unknown_rank(tf.ones([3, 1]), x).shape == [3]


# Forms of x --------------------------------------------------------------------------------------------------------


def every_way_in(vae, x):
    """All that take x: a fit, a look at it, an evaluation."""
    return (
        lambda: vae.fit(x, verbose=0),
        lambda: vae.fit(X, validation_data=x, verbose=0),
        lambda: vae.evaluate(x, verbose=0),
        lambda: vae.predict(x, verbose=0),
        lambda: vae.train_on_batch(x),
        lambda: vae.encode(x),
        lambda: vae.elbo(x),
        lambda: vae.reconstruct(x),
        lambda: vae(x),
        lambda: tfvae.evaluation.elbo(vae, x),
        lambda: real_examples(vae, x, (SIZE,), "export.save_litert"),
    )


MASKED = np.ma.masked_array(X, np.arange(N * SIZE).reshape(N, SIZE) % 7 == 0, fill_value=1e20)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (MASKED, r"masked array, and 6 of its 40 values are masked.*\.filled\(value\)"),
        (tf.sparse.from_dense(X), r"tf\.SparseTensor.*tf\.sparse\.to_dense"),
        (tf.RaggedTensor.from_tensor(X), r"tf\.RaggedTensor.*to_tensor"),
        ([[1.0] * 200_000, [0.0]], "parts differ in shape"),
        ([["a"] * SIZE] * 3_000, "dtype <U1"),
        ({"image": MASKED}, "masked array"),
        ((X * 60_000).astype("uint16"), r"16-bit images with x\.astype\('float32'\) / 65535"),
        ({"left": X, "right": X}, "one of the keys"),
    ],
)
def test_what_no_way_in_takes(vae, x, message):
    for number, way_in in enumerate(every_way_in(vae, x)):
        if number in (3, 8) and "uint16" in str(getattr(x, "dtype", "")):
            continue  # `predict` and a call cast, as those of any Keras model
        with pytest.raises(ValueError, match=message) as caught:
            way_in()
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "wrap",
    [
        scipy.sparse.csr_matrix,
        lambda x: x.tolist(),
        lambda x: {"image": x, "a": np.zeros(3), "name": np.array(["a"] * N)},
        lambda x: pytest.importorskip("pandas").DataFrame(x.astype("int64")),
    ],
)
def test_what_every_way_in_takes(vae, wrap):
    x = wrap(X)
    np.testing.assert_array_equal(vae.encode(x).mean(), vae.encode(X).mean())
    np.testing.assert_array_equal(vae.elbo(x, seed=0), vae.elbo(X, seed=0))
    np.testing.assert_array_equal(vae.reconstruct(x, seed=0), vae.reconstruct(X, seed=0))
    assert vae(x).batch_shape == [N]
    np.testing.assert_array_equal(tfvae.evaluation.elbo(vae, x).per_example, tfvae.evaluation.elbo(vae, X).per_example)
    np.testing.assert_array_equal(real_examples(vae, x, (SIZE,), "")[0].x, X[::2])
    if isinstance(x, dict):
        x = {name: value for name, value in x.items() if len(value) == N}
    expected = -np.mean(vae.estimate(X).bound)
    np.testing.assert_allclose(vae.evaluate(x, verbose=0)[0], expected, rtol=1e-5)
    if isinstance(x, dict):
        return
    np.testing.assert_allclose(vae.fit(x, batch_size=4, verbose=0).history["loss"], expected, rtol=1e-5)


def test_predict_takes_what_fit_takes(eager_vae):
    assert eager_vae.predict({"image": X, "name": np.array(["a"] * N)}, verbose=0).shape == (N, SIZE)


def test_keras_list_of_one_input_and_what_looks_like_it(vae):
    np.testing.assert_array_equal(vae.encode([X]).mean(), vae.encode(X).mean())
    np.testing.assert_array_equal(vae.encode(list(X)).mean(), vae.encode(X).mean())  # examples
    np.testing.assert_array_equal(vae.encode((X, np.arange(N))).mean(), vae.encode(X).mean())  # with labels
    for data in (list(X), (X, X)):
        with pytest.raises(ValueError, match=r"one input x.*numpy\.stack"):
            vae.fit(data, verbose=0)
    with pytest.raises(
        TypeError, match=r"x must not be a tfvae\.data\.Split. Pass its batches, such as x\.batches\(100\)"
    ):
        vae.fit(tfvae.data.Split(X), verbose=0)


# Data sets ---------------------------------------------------------------------------------------------------------


def generated(examples, spec=None):
    spec = tf.TensorSpec(None, tf.float32) if spec is None else spec
    return tf.data.Dataset.from_generator(lambda: iter(examples), output_signature=spec)


def test_a_data_set_that_does_not_know_its_shape_gets_the_models(eager_vae):
    data = generated(X).batch(4)
    expected = eager_vae.evaluate(batches(X), verbose=0)
    for unknown in (data, tf.data.Dataset.zip({"image": data})):
        np.testing.assert_allclose(eager_vae.evaluate(unknown, verbose=0), expected, rtol=1e-6)


@pytest.mark.parametrize("first_other", [2, 4, 8])
def test_examples_of_two_sizes(vae, first_other):
    """Within the first batch, at the beginning of a batch, and later."""
    examples = [x if i < first_other else np.ones(SIZE + 1, "float32") for i, x in enumerate(X)]
    for spec in (None, tf.TensorSpec([None], tf.float32)):
        data = generated(examples, spec).batch(4)
        for way_in in (
            lambda data=data: vae.fit(data, verbose=0),
            lambda data=data: vae.predict(data, verbose=0),
            lambda data=data: tfvae.evaluation.elbo(vae, data),
        ):
            with pytest.raises(ValueError, match=r"shape.*\[?(\d,)?5\]?.*") as caught:
                way_in()
            assert "function_node" not in str(caught.value)
            assert len(str(caught.value).splitlines()) == 1


def test_the_smaller_last_batch_whatever_entry_sorts_first(vae):
    """An entry of constant first axis says nothing about the size of the batch."""
    data = batches(X).map(lambda x: {"anchors": tf.zeros([3, 2]), "image": x, "zero": tf.zeros([1])})
    np.testing.assert_allclose(vae.evaluate(data, verbose=0), vae.evaluate(batches(X), verbose=0), rtol=1e-6)


# Values ------------------------------------------------------------------------------------------------------------


def test_data_outside_the_support_in_a_later_batch(vae):
    bad = np.concatenate([X, 255 * X])
    message = r"IndependentBernoulli requires x in \[0, 1\], but an? {}, at( or before)? step [35].*Scale x"
    for _ in range(2):
        with pytest.raises(ValueError, match=message.format("training batch")):
            vae.fit(batches(bad), verbose=0)
    for way_in in (
        lambda: vae.evaluate(batches(bad), verbose=0),
        lambda: vae.fit(X, batch_size=4, validation_data=batches(bad), verbose=0),
    ):
        with pytest.raises(ValueError, match=message.format("evaluation batch")):
            way_in()
    assert np.isfinite(vae.fit(batches(X), verbose=0).history["loss"]).all()  # it is forgotten


def test_a_plain_fit_stops_at_the_first_loss_that_is_not_finite(vae):
    weights, spoiled = vae.get_weights(), batches(np.concatenate([X[:8], np.nan * X]))
    with pytest.raises(NonFiniteLossError, match="log_likelihood is nan in epoch 1, at step 3"):
        vae.fit(spoiled, epochs=2, verbose=0)
    vae.set_weights(weights)
    history = vae.fit(spoiled, epochs=2, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()]).history
    assert np.isnan(history["loss"]).tolist() == [True]  # in its own way
    vae.set_weights(weights)


@pytest.mark.parametrize(
    ("scale", "offset", "warns"),
    [(1, 0, False), (0.3, 0.5, False), (100, 0, True), (1, 500, True), (1e-3, 0, True), (0, 1, False)],
)
def test_data_far_from_the_start_scale(recwarn, scale, offset, warns):
    x = scale * np.random.default_rng(0).normal(size=(50, SIZE)) + offset
    normal = layers.IndependentNormal((SIZE,))
    warn_about_scale(x, normal, lambda x: x)
    assert [w.category for w in recwarn] == [UserWarning] * warns
    assert all("IndependentNormal starts near mean 0 and scale 1" in str(w.message) for w in recwarn)
    assert all("(x - x.mean(axis=0)) / x.std(axis=0)" in str(w.message) for w in recwarn)
    recwarn.clear()
    warn_about_scale(x, normal, lambda x: (x - offset) / (scale or 1))  # a model trained on such data
    warn_about_scale(x, layers.IndependentBernoulli((SIZE,)), lambda x: x)
    assert not len(recwarn)


def test_a_fit_on_data_of_raw_scale_warns():
    vae = make_vae(layers.IndependentNormal)
    vae.compile("sgd", run_eagerly=True)
    with pytest.warns(UserWarning, match="IndependentNormal starts near mean 0"):
        vae.fit(200 * X, verbose=0)


# Networks ----------------------------------------------------------------------------------------------------------


def test_networks_of_two_inputs(vae):
    z, x, c = keras.Input((D,)), keras.Input((SIZE,)), keras.Input((3,))
    joined = keras.layers.Concatenate()
    decoder = keras.Model([z, c], layers.IndependentBernoulli((SIZE,))(keras.layers.Dense(SIZE)(joined([z, c]))))
    encoder = keras.Model([x, c], layers.MultivariateNormalDiag(D)(keras.layers.Dense(2 * D)(joined([x, c]))))
    with pytest.raises(
        ValueError,
        match=r"decoder must have the input z.*Received: a decoder with 2 inputs of shapes \(2,\), \(3,\)",
    ):
        VAE(vae.encoder, decoder)
    with pytest.raises(ValueError, match=r"encoder must have the input x.*Received: an encoder with 2 inputs"):
        VAE(encoder, vae.decoder)


def test_data_that_rounding_takes_out_of_the_support(eager_vae):
    scaled = np.where(X > 0, 1.0 + 2.0**-52, 0.0)  # what scaling to [0, 1] leaves of the largest value
    eager_vae.fit(scaled, verbose=0)
    eager_vae.fit(scaled.astype("float32") * np.float32(1 + 2.0**-22), verbose=0)
    with pytest.raises(ValueError, match=r"x lies in \[0, 1\.00000095"):
        eager_vae.fit(scaled.astype("float32") * np.float32(1 + 2.0**-20), verbose=0)


def test_labels_in_a_list(eager_vae):
    eager_vae.fit(X, [0] * N, validation_data=(X.tolist(), [1] * N), verbose=0)


def test_a_sparse_matrix_of_keys(vae):
    keys = scipy.sparse.csr_matrix(X).todok()
    np.testing.assert_array_equal(vae.encode(keys).mean(), vae.encode(X).mean())
    vae.fit(keys, verbose=0)

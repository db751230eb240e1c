"""Every mistake a user can make with a VAE: one error that says what happened, what was expected and the way out."""

import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from small_models import random_bits

import tfvae
from tfvae.layers import (
    DistributionLambda,
    IndependentBernoulli,
    IndependentNormal,
    KLDivergenceAddLoss,
    KLDivergenceRegularizer,
    MultivariateNormalDiag,
)
from tfvae.models import VAE
from tfvae.priors import Fixed, StandardNormal

tfd = tfp.distributions
D = 3
IMAGE = (4, 6, 1)


def encoder(size=D, **kwargs):
    return keras.Sequential(
        [keras.layers.Flatten(), keras.layers.Dense(2 * size), MultivariateNormalDiag(size, **kwargs)]
    )


def decoder(layer=IndependentBernoulli):
    return keras.Sequential([keras.layers.Dense(layer.params_size(IMAGE)), layer(IMAGE)])


def images(num_examples=8):
    return random_bits(num_examples, IMAGE)


@pytest.fixture(scope="module")
def vae():
    vae = VAE(encoder(), decoder())
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    return vae


@pytest.fixture(scope="module")
def eager_vae(vae):
    eager = VAE(vae.encoder, vae.decoder)
    eager.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    return eager


def as_array(x):
    return x


def as_dataset(x):
    return tf.data.Dataset.from_tensor_slices(x).batch(4)


def as_dictionaries(x):
    return tf.data.Dataset.from_tensor_slices({"image": x}).batch(4)


@pytest.fixture(params=[as_array, as_dataset, as_dictionaries])
def fed(request):
    return request.param


def every_way_in(vae, data):
    """Training, validation and evaluation."""
    return (
        lambda: vae.fit(data, verbose=0),
        lambda: vae.fit(images(), validation_data=data, verbose=0),
        lambda: vae.evaluate(data, verbose=0),
    )


# Data --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool"])
def test_integer_images_say_how_to_scale_them(vae, fed, dtype):
    data = fed((images() * 255).astype(dtype))
    for way_in in every_way_in(vae, data):
        with pytest.raises(ValueError, match="/ 255") as caught:
            way_in()
        assert dtype in str(caught.value)


def test_integer_images_are_refused_by_what_users_ask(vae):
    x = (images() * 255).astype("uint8")
    for ask in (vae.encode, vae.elbo, vae.reconstruct):
        with pytest.raises(ValueError, match="/ 255"):
            ask(x)


def test_values_outside_the_support_say_which(vae, fed):
    for x, shown in ((images() * 255, "255"), (images() * 2 - 1, "-1")):
        for way_in in every_way_in(vae, fed(x)):
            with pytest.raises(ValueError, match=r"\[0, 1\]") as caught:
                way_in()
            message = str(caught.value)
            assert shown in message
            assert "IndependentBernoulli" in message
            assert "IndependentNormal" in message


def test_a_normal_decoder_takes_any_real_value():
    vae = VAE(encoder(), decoder(IndependentNormal))
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    assert np.isfinite(vae.fit(images() * 9 - 4, verbose=0).history["loss"]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_say_where(vae, fed, value):
    x = images()
    x[1, 2, 3, 0] = value
    x[3, 0, 5, 0] = value
    for way_in in every_way_in(vae, fed(x)):
        with pytest.raises(ValueError, match="NaN or infinite") as caught:
            way_in()
        message = str(caught.value)
        assert "(1, 2, 3, 0)" in message
        assert "2 values" in message


@pytest.mark.parametrize(
    ("shape", "word"),
    [
        ((4, 6), "[..., None]"),
        ((6, 4, 1), "(4, 6, 1)"),
        ((24,), "(4, 6, 1)"),
        ((4, 6, 3), "(4, 6, 1)"),
        ((), "(4, 6, 1)"),
    ],
)
def test_other_event_shapes_show_both(vae, fed, shape, word):
    x = np.zeros((8, *shape), "float32")
    for way_in in every_way_in(vae, fed(x)):
        with pytest.raises(ValueError, match="event shape") as caught:
            way_in()
        message = str(caught.value)
        assert word in message
        assert str(tuple(shape)) in message
        assert len(message.splitlines()) == 1
    for ask in (vae.encode, vae.elbo, vae.reconstruct):
        with pytest.raises(ValueError, match="event shape"):
            ask(x)


def test_one_image_without_its_batch_axis_is_an_error(vae):
    with pytest.raises(ValueError, match="event shape"):
        vae.encode(images()[0])
    with pytest.raises(ValueError, match="event shape"):
        vae.encode(np.float32(0.5))


def test_no_examples(vae):
    for data in (images(0), as_dataset(images(0)), as_dictionaries(images(0)), {"image": images(0)}):
        for way_in in every_way_in(vae, data):
            with pytest.raises(ValueError, match="no examples"):
                way_in()


def test_no_data_at_all(vae):
    for way_in in (vae.fit, vae.evaluate):
        with pytest.raises(ValueError, match="requires data"):
            way_in(verbose=0)


def test_dictionary_without_an_image(vae):
    x = {"left": images(), "right": images()}
    for data in (x, tf.data.Dataset.from_tensor_slices(x).batch(4)):
        for way_in in every_way_in(vae, data):
            with pytest.raises(ValueError, match="image") as caught:
                way_in()
            assert "left" in str(caught.value)


def test_labels_are_not_checked(eager_vae):
    eager_vae.fit(images(), np.array([np.nan, 300, -1, 0, 0, 0, 0, 0]), verbose=0)
    eager_vae.fit(tf.data.Dataset.from_tensor_slices((images(), np.arange(8) - 300)).batch(4), verbose=0)


def test_validation_data_in_a_position_is_checked_too(vae):
    # fit(x, y, batch_size, epochs, verbose, callbacks, validation_split, validation_data)
    with pytest.raises(ValueError, match="/ 255"):
        vae.fit(images(), None, 4, 1, 0, None, 0.0, (images() * 255).astype("uint8"))


def test_a_later_bad_batch_of_another_shape_is_one_clear_error(vae):
    def batches():
        yield images(4)
        yield np.zeros((4, 6, 4, 1), "float32")

    data = tf.data.Dataset.from_generator(batches, output_signature=tf.TensorSpec(None, tf.float32))
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=r"shape|rank|Rank"):
        vae.fit(data, verbose=0)


def test_latents_of_another_size_are_refused(vae):
    for z in (np.zeros((5, D + 1), "float32"), np.zeros((2, 5, D - 1), "float32"), np.float32(0)):
        with pytest.raises(ValueError, match=r"shape|latent|axis|dim"):
            vae.decode(z)


def test_number_of_samples_is_checked(vae):
    with pytest.raises(ValueError, match="num_samples"):
        vae.elbo(images(), num_samples=0)
    with pytest.raises(ValueError, match="num_samples") as caught:
        vae.elbo(images(), num_samples=[[1.0] * 9] * 100_000)
    assert len(str(caught.value)) < 500
    with pytest.raises((ValueError, TypeError)):
        vae.sample(-1)


def test_data_are_not_consumed_by_the_check(eager_vae):
    passes = []

    def batches():
        passes.append(1)
        yield from (images(4), images(4))

    data = tf.data.Dataset.from_generator(batches, output_signature=tf.TensorSpec([None, *IMAGE], tf.float32))
    assert np.isfinite(eager_vae.evaluate(data, return_dict=True, verbose=0)["elbo"])
    assert len(passes) == 2, "once to look at the first batch, once to train"
    generator = ((batch,) for batch in (images(4), images(4)))  # which can be read once only
    assert np.isfinite(eager_vae.fit(generator, steps_per_epoch=2, verbose=0).history["elbo"]).all()


# Networks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(6)]),
        lambda: keras.Sequential([keras.Input(IMAGE), keras.layers.Flatten(), keras.layers.Dense(6)]),
        lambda: keras.Sequential([encoder(), keras.layers.Dense(3)]),
        lambda: keras.Sequential([keras.Sequential([keras.layers.Dense(6)])]),
        lambda: (lambda x: keras.Model(x, keras.layers.Dense(6)(x)))(keras.Input((5,))),
        lambda: keras.layers.Dense(6),
        lambda: keras.Sequential([]),
        lambda: lambda x: x,
        lambda: None,
    ],
)
def test_networks_that_do_not_end_in_a_distribution(make):
    with pytest.raises(TypeError, match="encoder must end in a distribution layer") as caught:
        VAE(make(), decoder(), StandardNormal(D))
    assert "MultivariateNormalDiag" in str(caught.value)
    with pytest.raises(TypeError, match="decoder must end in a distribution layer") as caught:
        VAE(encoder(), make(), StandardNormal(D))
    assert "IndependentBernoulli" in str(caught.value)


@keras.saving.register_keras_serializable(package="tests_vae_errors")
class TensorNet(keras.Model):
    """Subclassed, so that only calling it shows that it makes no distribution."""

    def __init__(self, size):
        super().__init__()
        self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(size)

    def call(self, inputs):
        return self.dense(self.flatten(inputs))


def test_subclassed_networks_that_make_no_distribution():
    model = VAE(TensorNet(D), decoder(), StandardNormal(D))
    with pytest.raises(TypeError, match="distribution"):
        model.encode(images())
    model = VAE(encoder(), TensorNet(24))
    with pytest.raises(TypeError, match="distribution"):
        model.elbo(images())


def test_latent_sizes_of_encoder_and_prior_differ():
    for prior in (StandardNormal(D + 1), tfd.MultivariateNormalDiag(tf.zeros(D + 1))):
        with pytest.raises(ValueError, match="latent") as caught:
            VAE(encoder(), decoder(), prior)
        assert "(3,)" in str(caught.value)
        assert "(4,)" in str(caught.value)


def test_latent_sizes_of_a_subclassed_encoder_and_the_prior_differ():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = encoder(D + 1)

        def call(self, inputs):
            return self.inner(inputs)

    model = VAE(Net(), decoder(), StandardNormal(D))
    with pytest.raises(ValueError, match="latent") as caught:
        model.elbo(images())
    assert "(3,)" in str(caught.value)
    assert "(4,)" in str(caught.value)


def test_decoder_takes_another_latent_size():
    inputs = keras.Input((D + 1,))
    functional = keras.Model(inputs, IndependentBernoulli(IMAGE)(keras.layers.Dense(24)(inputs)))
    sequential = keras.Sequential([keras.Input((D + 1,)), keras.layers.Dense(24), IndependentBernoulli(IMAGE)])
    built = decoder()
    built.build((None, D + 1))
    for other in (functional, sequential, built):
        with pytest.raises(ValueError, match="decoder") as caught:
            VAE(encoder(), other)
        assert "(3,)" in str(caught.value)
        assert "(4,)" in str(caught.value)


def test_encoder_and_decoder_are_of_other_images():
    other = keras.Sequential([keras.Input((5, 6, 1)), *encoder().layers])
    with pytest.raises(ValueError, match=r"\(.*5, 6, 1\)"):
        VAE(other, decoder())


def test_no_prior_can_be_told_from_an_unknown_latent_size():
    lambda_encoder = keras.Sequential([keras.layers.Dense(3), DistributionLambda(lambda t: tfd.Normal(t, 1.0))])
    with pytest.raises(ValueError, match="StandardNormal"):
        VAE(lambda_encoder, decoder())


def test_priors_with_batch_axes_and_what_is_no_prior():
    for make in (
        lambda: VAE(encoder(), decoder(), tfd.Normal(tf.zeros(D), 1.0)),
        lambda: Fixed(tfd.Normal([0.0], 1.0)),
    ):
        with pytest.raises(ValueError, match=r"tfd\.Independent") as caught:
            make()
        assert "batch shape" in str(caught.value)
    for prior in ("normal", 3, keras.layers.Dense(3), lambda: tfd.Normal(0.0, 1.0)):
        with pytest.raises(TypeError, match="prior"):
            VAE(encoder(), decoder(), prior)


@pytest.mark.parametrize("latent_size", [0, -1, 2.5])
def test_latent_sizes_of_a_prior(latent_size):
    with pytest.raises(ValueError, match="latent_size"):
        StandardNormal(latent_size)


def standard_normal():
    return tfd.MultivariateNormalDiag(tf.zeros(D), tf.ones(D))


@pytest.mark.parametrize("nested", [False, True])
def test_a_kl_regulariser_on_the_encoder_would_count_twice(nested):
    regularizer = KLDivergenceRegularizer(standard_normal())
    for term, name in (
        (encoder(activity_regularizer=regularizer), "KLDivergenceRegularizer"),
        (keras.Sequential([encoder(), KLDivergenceAddLoss(standard_normal())]), "KLDivergenceAddLoss"),
        (
            keras.Sequential(
                [encoder(), KLDivergenceAddLoss(standard_normal()), DistributionLambda(lambda t: tfd.Normal(t, 1.0))]
            ),
            "KLDivergenceAddLoss",
        ),
    ):
        network = keras.Sequential([term]) if nested else term
        with pytest.raises(ValueError, match="twice") as caught:
            VAE(network, decoder(), StandardNormal(D))
        message = str(caught.value)
        assert name in message
        assert "VAE" in message
        assert "beta" in message


def test_a_kl_regulariser_in_a_functional_or_subclassed_encoder():
    inputs = keras.Input(IMAGE)
    hidden = keras.layers.Dense(6)(keras.layers.Flatten()(inputs))
    layer = MultivariateNormalDiag(D, activity_regularizer=KLDivergenceRegularizer(standard_normal()), name="posterior")
    functional = keras.Model(inputs, layer(hidden))

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(6), layer])

        def call(self, inputs):
            return self.inner(inputs)

    for network in (functional, Net()):
        with pytest.raises(ValueError, match="twice") as caught:
            VAE(network, decoder(), StandardNormal(D))
        assert "posterior" in str(caught.value)


def test_other_activity_regularisers_on_the_encoder_are_allowed():
    assert np.isfinite(VAE(encoder(activity_regularizer="l2"), decoder()).elbo(images())).all()


@pytest.mark.parametrize("argument", ["loss", "metrics", "loss_weights", "weighted_metrics"])
def test_compile_refuses_losses_and_metrics(argument):
    model = VAE(encoder(), decoder())
    with pytest.raises(ValueError, match=argument) as caught:
        model.compile("adam", **{argument: ["mse"]})
    assert "estimator" in str(caught.value)


def test_fit_without_compile_says_so():
    model = VAE(encoder(), decoder())
    with pytest.raises(ValueError, match="compile"):
        model.fit(images(), verbose=0)


# Files -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "vae.keras"
    VAE(encoder(), decoder(), seed=0).save(path)
    return path.read_bytes()


def test_file_that_is_not_there(tmp_path):
    path = tmp_path / "no_such.keras"
    with pytest.raises(ValueError, match=r"no model file.*no_such\.keras") as caught:
        tfvae.load_model(path)
    assert "save" in str(caught.value)


def test_folder_instead_of_a_file(tmp_path):
    with pytest.raises(ValueError, match=tmp_path.name):
        tfvae.load_model(tmp_path)


@pytest.mark.parametrize("length", [0, 1, 100, 1000, -1, -100])
def test_truncated_file(saved, tmp_path, length):
    path = tmp_path / "truncated.keras"
    path.write_bytes(saved[:length])
    with pytest.raises(ValueError, match=r"truncated\.keras"):
        tfvae.load_model(path)


def test_random_bytes(tmp_path):
    path = tmp_path / "random.keras"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(ValueError, match=r"random\.keras"):
        tfvae.load_model(path)


def test_zip_of_something_else(tmp_path):
    path = tmp_path / "other.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(ValueError, match=r"other\.keras"):
        tfvae.load_model(path)


def test_any_flipped_bit_is_an_error_or_does_not_matter(saved, tmp_path):
    path, rng = tmp_path / "flipped.keras", np.random.default_rng(0)
    original = tmp_path / "original.keras"
    original.write_bytes(saved)
    expected = tfvae.load_model(original).elbo(images(), seed=0)
    refused = []
    for position in rng.choice(len(saved), size=40, replace=False):
        damaged = bytearray(saved)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(damaged))
        try:
            loaded = tfvae.load_model(path)
        except ValueError as error:
            refused.append(str(error))
        else:
            np.testing.assert_array_equal(loaded.elbo(images(), seed=0), expected)
    assert len(refused) > 20
    assert all("flipped.keras" in message for message in refused)


def not_registered(distribution):
    return distribution.mean()


def test_refused_save_leaves_an_earlier_file_alone(saved, tmp_path):
    path = tmp_path / "vae.keras"
    path.write_bytes(saved)
    model = VAE(encoder(convert_to_tensor_fn=not_registered), decoder())
    with pytest.raises(ValueError, match="register_keras_serializable"):
        model.save(path)
    assert path.read_bytes() == saved
    assert [p.name for p in tmp_path.iterdir()] == ["vae.keras"]


def test_lambda_loss_in_a_file_is_refused_with_the_way_out(tmp_path):
    x = np.ones((4, 6), "float32")
    model = keras.Sequential([keras.layers.Dense(6), tfvae.layers.IndependentBernoulli((6,))])
    model.compile("adam", loss=lambda x, rv_x: -rv_x.log_prob(x))
    model.fit(x, x, verbose=0)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="compile=False"):
        tfvae.load_model(tmp_path / "model.keras")
    loaded = tfvae.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(loaded(x).mean(), model(x).mean(), rtol=1e-6)

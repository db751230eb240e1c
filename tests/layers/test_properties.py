"""What holds for every event shape and every batch shape, of each layer that takes an event shape or an event size."""

import inspect
import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

import tfvae
from tfvae import flows, layers
from tfvae.losses import negative_log_likelihood

tfd = tfp.distributions

EVENT_SHAPES = [(), (1,), (3,), (2, 3), (2, 3, 1), (2, 1, 3, 2)]
EVENT_SIZES = [2, 1, 5]
BATCH_SHAPES = [(), (1,), (0,), (4,), (2, 5), (2, 0)]
FIVE_INPUTS = 5


# ---- The layers and where their parameters lie


def real(rng, shape):
    return rng.normal(size=shape)


def proportion(rng, shape):
    return rng.uniform(0.1, 0.9, size=shape)


def count(rng, shape):
    return rng.integers(4, size=shape)


def level(rng, shape):
    return rng.integers(7, size=shape) / 6


def one_hot(rng, shape):
    return np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]


def direction(rng, shape):
    x = rng.normal(size=shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def in_ball(rng, shape):
    return rng.uniform(-0.5, 0.5, size=shape) / math.sqrt(shape[-1])


def blocks(number):
    """All first parameters of the n elements, then all second ones, and so on: -> `[..., n, number]`."""
    return lambda t, event_shape: np.moveaxis(t.reshape(*t.shape[:-1], number, math.prod(event_shape)), -2, -1)


def side_by_side(number):
    """The parameters of one element after those of another: -> `[..., n, number]`."""
    return lambda t, event_shape: t.reshape(*t.shape[:-1], math.prod(event_shape), number)


class Shaped(NamedTuple):
    """A layer for events of a shape.

    Attributes:
        make: the layer, from an event shape.
        data: values of its events.
        num_parameters: of one element.
        split: takes the parameters `[..., P]` of an event apart, into those of its elements.
        element: the event shape of one of the independent parts.
    """

    make: Callable[..., Any]
    data: Callable[..., np.ndarray]
    num_parameters: int
    split: Callable[..., np.ndarray]
    element: tuple[int, ...] = ()

    def event_shapes(self):
        return [s for s in EVENT_SHAPES if len(s) >= len(self.element)]

    def num_elements(self, event_shape):
        return math.prod(event_shape[: len(event_shape) - len(self.element)])


def declared(cls, data, num_parameters, *arguments, **kwargs):
    return Shaped(
        lambda event_shape, **more: cls(event_shape, *arguments, **kwargs, **more),
        data,
        num_parameters,
        blocks(num_parameters),
    )


INDEPENDENT = {
    "bernoulli": declared(layers.IndependentBernoulli, proportion, 1),
    "continuous_bernoulli": declared(layers.IndependentContinuousBernoulli, proportion, 1),
    "beta": declared(layers.IndependentBeta, proportion, 2),
    "kumaraswamy": declared(layers.IndependentKumaraswamy, proportion, 2),
    "beta_binomial": declared(layers.BetaBinomial, count, 2, 4),
    "discretized_logistic": declared(layers.DiscretizedLogistic, level, 2, 7),
    "normal": declared(layers.IndependentNormal, real, 2),
    "logistic": declared(layers.IndependentLogistic, real, 2),
    "laplace": declared(layers.IndependentLaplace, real, 2),
    "student_t": declared(layers.IndependentStudentT, real, 3),
    "poisson": declared(layers.IndependentPoisson, count, 1),
    "negative_binomial": declared(layers.IndependentNegativeBinomial, count, 2),
    "zero_inflated_negative_binomial": declared(layers.IndependentZeroInflatedNegativeBinomial, count, 3),
    "categorical": declared(layers.IndependentCategorical, count, 4, 4)._replace(split=side_by_side(4)),
    "generic": Shaped(
        lambda event_shape, **kwargs: layers.GenericDistribution(tfd.Gamma, event_shape, **kwargs),
        proportion,
        2,
        blocks(2),
    ),
}


class Mixed(NamedTuple):
    """A mixture of K components, each of another layer."""

    make: Callable[..., Any]
    component: Callable[..., Any]
    num_components: int = 3


MIXTURES = {
    "mixture_normal": Mixed(
        lambda event_shape, **kwargs: layers.MixtureNormal(3, event_shape, **kwargs), layers.IndependentNormal
    ),
    "mixture_logistic": Mixed(
        lambda event_shape, **kwargs: layers.MixtureLogistic(3, event_shape, **kwargs), layers.IndependentLogistic
    ),
    "mixture_same_family": Mixed(
        lambda event_shape, **kwargs: layers.MixtureSameFamily(3, layers.IndependentLaplace(event_shape), **kwargs),
        layers.IndependentLaplace,
    ),
}


class Sized(NamedTuple):
    """A layer for vectors: the number of parameters of size D, and the smallest D."""

    make: Callable[..., Any]
    data: Callable[..., np.ndarray]
    num_parameters: Callable[[int], int]
    smallest: int = 1


SIZED = {
    "diag": Sized(layers.MultivariateNormalDiag, real, lambda d: 2 * d),
    "tril": Sized(layers.MultivariateNormalTriL, real, lambda d: d * (d + 3) // 2),
    "low_rank": Sized(
        lambda d, **kwargs: layers.MultivariateNormalDiagPlusLowRank(d, 2, **kwargs), real, lambda d: 4 * d
    ),
    "one_hot": Sized(layers.OneHotCategorical, one_hot, lambda d: d),
    "mixture_of_one_hot": Sized(
        lambda d, **kwargs: layers.CategoricalMixtureOfOneHotCategorical(d, 3, **kwargs),
        one_hot,
        lambda d: 3 * (1 + d),
    ),
    "kumaraswamy_sticks": Sized(layers.KumaraswamySticks, real, lambda d: 2 * d),
    "gamma_sticks": Sized(layers.GammaSticks, real, lambda d: 2 * d),
    "logit_normal_sticks": Sized(layers.LogitNormalSticks, real, lambda d: 2 * d),
    "normalizing_flow": Sized(
        lambda d, **kwargs: layers.NormalizingFlow(d, [flows.Planar()], **kwargs), real, lambda d: 4 * d + 1
    ),
    "poincare_normal": Sized(lambda d, **kwargs: layers.PoincareNormal(d, 0.5, **kwargs), in_ball, lambda d: 2 * d),
    "riemannian_normal": Sized(lambda d, **kwargs: layers.RiemannianNormal(d, 0.5, **kwargs), in_ball, lambda d: d + 1),
    "von_mises_fisher": Sized(layers.VonMisesFisher, direction, lambda d: d + 1, smallest=2),
}


class Instance(NamedTuple):
    """A layer of one event shape."""

    make: Callable[..., Any]
    event_shape: tuple[int, ...]
    size: int
    data: Callable[..., np.ndarray]


def instances(name):
    if name in INDEPENDENT:
        one = INDEPENDENT[name]
        return [Instance(bind(one.make, s), s, one.num_parameters * math.prod(s), one.data) for s in one.event_shapes()]
    if name in MIXTURES:
        make = MIXTURES[name].make
        return [Instance(bind(make, s), s, 3 * (1 + 2 * math.prod(s)), real) for s in EVENT_SHAPES]
    if name == PIXELS:
        return [
            Instance(bind(make_pixels, s), s, math.prod(s[:-1]) * 2 * num_pixel_parameters(s[-1]), level)
            for s in EVENT_SHAPES
            if s
        ]
    one = SIZED[name]
    sizes = [max(size, one.smallest) for size in EVENT_SIZES]
    return [Instance(bind(one.make, d), (d,), one.num_parameters(d), one.data) for d in sizes]


def bind(make, shape):
    return lambda **kwargs: make(shape, **kwargs)


PIXELS = "discretized_logistic_mixture"


def make_pixels(event_shape, **kwargs):
    return layers.DiscretizedLogisticMixture(event_shape, 2, 7, **kwargs)


def num_pixel_parameters(num_channels):
    return 1 + 2 * num_channels + num_channels * (num_channels - 1) // 2


NAMES = [*INDEPENDENT, *MIXTURES, PIXELS, *SIZED]
# Of every kind one: its elements declared, made by TFP's class, a mixture, a vector, a sampler of its own.
KINDS = ("bernoulli", "generic", "mixture_same_family", "diag", "von_mises_fisher")


def some_parameters(size, *batch_shape, seed=0):
    return np.random.default_rng(seed).normal(size=(*batch_shape, size)).astype("float32")


def some_data(data, event_shape, *batch_shape, seed=1):
    return data(np.random.default_rng(seed), (*batch_shape, *event_shape)).astype("float32")


def test_every_layer_with_an_event_shape_or_size_is_here():
    wanted = set()
    for name in layers.__all__:
        cls = getattr(layers, name)
        arguments = inspect.signature(cls.__init__).parameters
        has_size = not {"event_shape", "event_size", "component_layer"}.isdisjoint(arguments)
        if issubclass(cls, layers.DistributionLayer) and has_size:
            wanted.add(cls)
    wanted.remove(layers.VariationalGaussianProcess)  # whose event shape begins with the number of its inputs
    wanted.remove(layers.SizedNegativeBinomial)  # whose last parameter is the size of a row
    assert {type(instances(name)[0].make()) for name in NAMES} == wanted


# ---- Shapes


@pytest.mark.parametrize("name", slow_except(NAMES, *KINDS))
def test_shapes(name):
    for i, (make, event_shape, size, data) in enumerate(instances(name)):
        layer = make()
        assert layer.event_shape == event_shape
        assert layer.parameters_size == size
        assert type(layer.parameters_size) is int
        # Every batch shape with one event shape, and every event shape with two batch shapes.
        for batch_shape in BATCH_SHAPES if event_shape in ((2, 3), (2,)) else (BATCH_SHAPES * 2)[i : i + 6 : 3]:
            y = layer(some_parameters(size, *batch_shape))
            assert y.event_shape == event_shape
            assert y.batch_shape == batch_shape
            assert y.event_shape_tensor().numpy().tolist() == list(event_shape)
            assert y.batch_shape_tensor().numpy().tolist() == list(batch_shape)
            assert_shape_and_finite(y.mean(), (*batch_shape, *event_shape))
            assert_shape_and_finite(y.log_prob(some_data(data, event_shape, 3, *batch_shape)), (3, *batch_shape))
        assert_shape_and_finite(y.log_prob(some_data(data, event_shape)), batch_shape)


def assert_shape_and_finite(value, shape):
    assert value.shape == shape
    assert np.isfinite(value).all()


NORMALS = (
    tfvae.layers.MultivariateNormalDiag,
    tfvae.layers.MultivariateNormalDiagPlusLowRank,
    tfvae.layers.MultivariateNormalTriL,
)


@pytest.mark.parametrize("name", slow_except(NAMES, *(set(KINDS) - {"generic"})))
def test_shapes_of_samples(name):
    first, *_, last = instances(name)
    for (make, event_shape, size, _), batch_shape in ((first, ()), (last, (0,)), (last, (2, 5))):
        y = make(seed=1)(some_parameters(size, *batch_shape))
        assert_shape_and_finite(tf.convert_to_tensor(y), (*batch_shape, *event_shape))
    x = last.make()(some_parameters(last.size)).sample((3, 2), seed=1)
    assert_shape_and_finite(x, (3, 2, *last.event_shape))


@pytest.mark.parametrize("name", slow_except(NAMES, "bernoulli", "mixture_same_family", "diag"))
def test_shapes_in_a_graph_of_unknown_batch_size(name):
    for make, event_shape, size, data in instances(name):
        layer = make()
        signature = [tf.TensorSpec([None, size]), tf.TensorSpec([None, *event_shape])]

        @tf.function(input_signature=signature, autograph=False)
        def values(parameters, x, layer=layer):
            y = layer(parameters)
            return tf.convert_to_tensor(y.mean()), y.log_prob(x)

        static = values.get_concrete_function().structured_outputs
        # Of an axis of length 1 TFP's broadcasts forget the length; the layer's own value has it, see below.
        assert static[0].shape.is_compatible_with([None, *event_shape])
        assert static[1].shape.as_list() == [None]
        for number in (4, 0):
            mean, log_prob = values(some_parameters(size, number), some_data(data, event_shape, number))
            assert_shape_and_finite(mean, (number, *event_shape))
            assert_shape_and_finite(log_prob, (number,))


@pytest.mark.parametrize("name", slow_except(NAMES, *KINDS))
def test_samples_in_a_graph_of_unknown_batch_size(name):
    make, event_shape, size, _ = instances(name)[-1]
    layer = make()

    @tf.function(input_signature=[tf.TensorSpec([None, size])], autograph=False)
    def samples(parameters):
        y = layer(parameters)
        return tf.convert_to_tensor(y), y.sample(3, seed=(1, 2))

    one, three = samples.get_concrete_function().structured_outputs
    assert one.shape.as_list() == [None, *event_shape]
    assert three.shape.as_list() == [3, None, *event_shape]
    # TFP divides by the number of examples where it draws for a normal whose batch size a graph does not know.
    for number in (4,) if isinstance(layer, NORMALS) else (4, 0):
        one, three = samples(some_parameters(size, number))
        assert_shape_and_finite(one, (number, *event_shape))
        assert_shape_and_finite(three, (3, number, *event_shape))


@pytest.mark.parametrize("name", slow_except(NAMES, *KINDS))
def test_symbolic_shapes(name):
    for make, event_shape, size, _ in instances(name):
        assert make(convert_to_tensor_fn="mean")(keras.Input((size,))).shape == (None, *event_shape)
    for convert in ("mean", "sample"):
        two_axes = make(convert_to_tensor_fn=convert)(keras.Input((None, size), batch_size=2))
        assert two_axes.shape == (2, None, *event_shape)


@pytest.mark.parametrize("name", slow_except(NAMES, *(set(KINDS) - {"generic"}), "low_rank", PIXELS))
def test_a_batch_is_each_example_alone(name):
    first, *_, last = instances(name)
    for make, event_shape, size, data in (first, last):
        parameters, x = some_parameters(size, 2, 2), some_data(data, event_shape, 7, 2, 2)
        layer = make()
        together, mean = layer(parameters).log_prob(x), layer(parameters).mean()  # [7, 2, 2], [2, 2, *event]
        for i, j in np.ndindex(2, 2):
            alone = layer(parameters[i, j])
            np.testing.assert_allclose(alone.log_prob(x[:, i, j]), together[:, i, j], rtol=2e-5, atol=1e-6)
            np.testing.assert_allclose(alone.mean(), mean[i, j], rtol=1e-5, atol=1e-6)


# ---- Elements


@pytest.mark.parametrize("name", list(INDEPENDENT))
def test_elements_are_independent_and_parameters_lie_where_they_are_said_to(name):
    case = INDEPENDENT[name]
    for make, event_shape, size, data in instances(name)[1::2]:
        parameters, x = some_parameters(size, 4), some_data(data, event_shape, 4)
        y = make()(parameters)
        elements = case.make(())(case.split(parameters, event_shape))  # of batch shape [4, n]
        log_prob = np.asarray(elements.log_prob(x.reshape(4, -1)))
        np.testing.assert_allclose(y.log_prob(x), log_prob.sum(axis=1), rtol=1e-5)
        np.testing.assert_allclose(tf.reshape(y.mean(), [4, -1]), elements.mean(), rtol=1e-6)


@pytest.mark.parametrize(
    "name", slow_except(INDEPENDENT, "bernoulli", "normal", "discretized_logistic", "categorical", "generic")
)
def test_one_parameter_changes_only_its_own_element(name):
    case, event_shape = INDEPENDENT[name], (2, 3)
    size = case.num_parameters * 6
    belongs_to = case.split(np.arange(size), event_shape)  # [6, P], the positions of each element's parameters
    parameters, x = some_parameters(size), some_data(case.data, event_shape)
    others = (some_data(case.data, event_shape, seed=seed) for seed in itertools.count(2))
    other = next(y for y in others if np.all(y != x))
    layer = case.make(event_shape)
    mean, gradient = np.ravel(layer(parameters).mean()), gradient_of_log_prob(layer, parameters, x)
    for element in range(6):
        changed = parameters.copy()
        changed[belongs_to[element]] += np.linspace(0.3, 0.9, case.num_parameters)  # not the same for all logits
        changed_mean = np.ravel(layer(changed).mean())
        np.testing.assert_array_equal(np.flatnonzero(changed_mean != mean), [element])
        changed_x = np.where(np.arange(6).reshape(event_shape) == element, other, x)
        changed_gradient = gradient_of_log_prob(layer, parameters, changed_x)
        differs = np.flatnonzero(changed_gradient != gradient)
        assert len(differs)
        assert set(differs) <= set(belongs_to[element])


def gradient_of_log_prob(layer, parameters, x):
    parameters = tf.constant(parameters)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        log_prob = layer(parameters).log_prob(x)
    return tape.gradient(log_prob, parameters).numpy()


@pytest.mark.parametrize("name", list(MIXTURES))
def test_mixture_is_written_out(name):
    case = MIXTURES[name]
    for make, event_shape, size, data in instances(name):
        parameters, x = some_parameters(size, 4), some_data(data, event_shape, 4)
        logits, rest = parameters[:, :3].astype("float64"), parameters[:, 3:].reshape(4, 3, -1)
        components = case.component(event_shape)(rest)  # of batch shape [4, 3]
        log_weights = logits - np.log(np.sum(np.exp(logits), axis=1, keepdims=True))
        terms = log_weights + np.asarray(components.log_prob(x[:, np.newaxis]))
        np.testing.assert_allclose(make()(parameters).log_prob(x), np.log(np.exp(terms).sum(axis=1)), rtol=1e-4)
        weights = np.exp(log_weights).reshape(4, 3, *[1] * len(event_shape))
        mean = np.sum(weights * np.asarray(components.mean()), axis=1)
        np.testing.assert_allclose(make()(parameters).mean(), mean, rtol=1e-4, atol=1e-6)


def test_pixels_are_independent_and_their_parameters_lie_side_by_side():
    for make, event_shape, size, data in instances(PIXELS):
        num_channels = event_shape[-1]
        parameters, x = some_parameters(size, 4), some_data(data, event_shape, 4)
        one = make_pixels((num_channels,))
        pixels = one(parameters.reshape(4, math.prod(event_shape[:-1]), one.parameters_size))
        log_prob = np.asarray(pixels.log_prob(x.reshape(4, -1, num_channels)))
        np.testing.assert_allclose(make()(parameters).log_prob(x), log_prob.sum(axis=1), rtol=1e-5)
        np.testing.assert_allclose(tf.reshape(make()(parameters).mean(), [4, -1]), tf.reshape(pixels.mean(), [4, -1]))


# ---- Spellings of shapes


@pytest.mark.parametrize("name", list(INDEPENDENT))
def test_an_event_shape_in_any_spelling(name):
    case = INDEPENDENT[name]
    for spelling in ((2, 3), [2, 3], np.array([2, 3]), tf.TensorShape([2, 3]), (np.int64(2), np.int32(3))):
        layer = case.make(spelling)
        assert layer.event_shape == (2, 3)
        assert all(type(axis) is int for axis in layer.event_shape)
        assert layer.parameters_size == 6 * case.num_parameters
    for spelling in (3, np.int64(3), tf.TensorShape([3])):
        assert case.make(spelling).event_shape == (3,)


@pytest.mark.parametrize("name", list(SIZED))
def test_an_event_size_in_any_spelling(name):
    case = SIZED[name]
    for spelling in (3, np.int64(3), np.array(3), tf.TensorShape([3])):
        layer = case.make(spelling)
        assert layer.event_shape == (3,)
        assert type(layer.parameters_size) is int
        y = layer(some_parameters(case.num_parameters(3), 4))
        assert y.sample(seed=1).shape == (4, 3)


# ---- No examples


def no_examples(event_shape):
    """A batch of none in a graph that does not know how many there will be."""
    signature = tf.TensorSpec([None, FIVE_INPUTS]), tf.TensorSpec([None, *event_shape])

    def batches():
        yield np.zeros((0, FIVE_INPUTS), "float32"), np.zeros((0, *event_shape), "float32")

    return tf.data.Dataset.from_generator(batches, output_signature=signature)


def likelihood_model(instance, **kwargs):
    inputs = keras.Input((FIVE_INPUTS,))
    model = keras.Model(inputs, instance.make(**kwargs)(keras.layers.Dense(instance.size)(inputs)))
    model.compile("sgd", loss=negative_log_likelihood, jit_compile=False)
    return model


@pytest.mark.filterwarnings("ignore:Your input ran out of data", "ignore:`shuffle=True` was passed")
@pytest.mark.parametrize(
    "name",
    slow_except(
        [
            "bernoulli",
            "normal",
            "categorical",
            "beta_binomial",
            "mixture_normal",
            PIXELS,
            "tril",
            "mixture_of_one_hot",
            "von_mises_fisher",
        ],
        "tril",
    ),
)
def test_no_examples_in_a_model(name):
    instance = instances(name)[-1]
    event_shape = instance.event_shape
    model = likelihood_model(instance)
    x, data = np.zeros((0, FIVE_INPUTS), "float32"), no_examples(event_shape)
    assert model(x).batch_shape == (0,)
    assert model.predict(data, verbose=0).shape == (0, *event_shape)
    assert model.evaluate(data, verbose=0) == 0.0
    before = model.get_weights()
    assert model.fit(data, verbose=0).history["loss"] == [0.0]
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


LATENTS = {
    "diag": lambda **kwargs: layers.MultivariateNormalDiag(2, **kwargs),
    "tril": lambda **kwargs: layers.MultivariateNormalTriL(2, **kwargs),
    "low_rank": lambda **kwargs: layers.MultivariateNormalDiagPlusLowRank(2, 1, **kwargs),
    "logistic, without a closed form": lambda **kwargs: layers.IndependentLogistic((2,), **kwargs),
}


@pytest.mark.filterwarnings("ignore:Your input ran out of data", "ignore:`shuffle=True` was passed")
@pytest.mark.parametrize(
    ("name", "use_exact_kl"),
    slow_except(
        [*((name, None) for name in LATENTS), ("diag", False)],
        ("diag", None),
        ("logistic, without a closed form", None),
    ),
)
def test_no_examples_under_a_kl_regulariser(name, use_exact_kl):
    prior = tfvae.priors.Normal(2)
    latent = LATENTS[name](activity_regularizer=layers.KLDivergenceRegularizer(prior, use_exact_kl))
    inputs = keras.Input((FIVE_INPUTS,))
    z = latent(keras.layers.Dense(latent.parameters_size)(inputs))
    model = keras.Model(inputs, layers.IndependentNormal((3,))(keras.layers.Dense(6)(z)))
    model.compile("sgd", loss=negative_log_likelihood, jit_compile=False)
    model(np.zeros((0, FIVE_INPUTS), "float32"))
    assert [float(loss) for loss in model.losses] == [0.0]
    if isinstance(latent, NORMALS):
        return  # in a graph that does not know the batch size, TFP divides by it where it draws for one of these
    data = no_examples((3,))
    assert model.evaluate(data, verbose=0) == 0.0
    before = model.get_weights()
    assert model.fit(data, verbose=0).history["loss"] == [0.0]
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # And after the examples that there were: Keras weighs batches by their size.
    full = np.random.default_rng(0).normal(size=(4, FIVE_INPUTS)).astype("float32")
    some = tf.data.Dataset.from_tensor_slices((full, full[:, :3])).batch(4)
    assert np.isfinite(model.evaluate(some.concatenate(data), verbose=0))

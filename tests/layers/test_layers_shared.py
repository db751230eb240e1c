"""What every distribution layer has to do, checked for each of them in the same way."""

import itertools
import json
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

import tfvae
from tfvae.tables import Column, Schema

tfd = tfp.distributions
PACKAGE = "tests_layers_shared"


@keras.saving.register_keras_serializable(package=PACKAGE)
def make_laplace(parameters):
    loc, raw_scale = tf.split(parameters, 2, axis=-1)
    return tfd.Independent(tfd.Laplace(loc, tf.nn.softplus(raw_scale) + 1e-3), 1)


@keras.saving.register_keras_serializable(package=PACKAGE)
class Subclassed(keras.Model):
    def __init__(self, dense, layer, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.layer = dense, layer

    def call(self, inputs):
        return self.layer(self.dense(inputs))

    def get_config(self):
        parts = {"dense": self.dense, "layer": self.layer}
        return {**super().get_config(), **{k: keras.saving.serialize_keras_object(v) for k, v in parts.items()}}

    @classmethod
    def from_config(cls, config):
        parts = {name: keras.saving.deserialize_keras_object(config.pop(name)) for name in ("dense", "layer")}
        return cls(**parts, **config)


def in_unit_interval(rng, shape):
    return rng.uniform(0.1, 0.9, size=shape)


def one_hot(rng, shape):
    return np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]


def small_counts(rng, shape):
    return rng.integers(4, size=shape)


def on_grid(rng, shape):
    return rng.integers(256, size=shape) / 255


COLUMNS = Schema(
    [
        Column("income", "real"),
        Column("colour", "category", ("red", "green", "blue")),
        Column("visits", "count"),
        Column("mass", "positive"),
        Column("share", "bounded", low=0.0, high=1.0),
        Column("grade", "ordinal", ("a", "b", "c", "d")),
        Column("alive", "boolean", ("no", "yes")),
    ]
)


def in_ball(rng, shape):
    return rng.uniform(-0.5, 0.5, size=shape)


def rows(rng, shape):
    x = rng.integers(2, size=shape).astype("float64")
    x[..., [0, 3, 4]] = rng.uniform(0.1, 0.9, size=(*shape[:-1], 3))
    x[..., [1, 5]] = rng.integers(3, size=(*shape[:-1], 2))
    return x


class Case(NamedTuple):
    """A layer of unequal axis lengths, its number of parameters and its event shape."""

    cls: type
    arguments: dict[str, Any]
    size: int
    event_shape: tuple[int, ...]
    data: Callable[..., np.ndarray] = in_unit_interval  # which most distributions take
    size_arguments: dict[str, Any] | None = None  # of params_size, where they are not the constructor's
    # TFP's mixtures are not reparameterised, and yet the gradient of a sample reaches the component it came from.
    sample_has_partial_gradient: bool = False

    def make(self, **kwargs):
        arguments = dict(self.arguments)
        if "component_layer" in arguments:  # made with the mixture, under the same dtype policy
            arguments["component_layer"] = arguments["component_layer"]()
        return self.cls(**arguments, **kwargs)


CASES = {
    "diag": Case(tfvae.layers.MultivariateNormalDiag, {"event_size": 3}, 6, (3,)),
    "tril": Case(tfvae.layers.MultivariateNormalTriL, {"event_size": 3}, 9, (3,)),
    "bernoulli": Case(tfvae.layers.IndependentBernoulli, {"event_shape": (2, 3, 1)}, 6, (2, 3, 1)),
    "normal": Case(tfvae.layers.IndependentNormal, {"event_shape": (3, 2)}, 12, (3, 2)),
    "laplace": Case(tfvae.layers.IndependentLaplace, {"event_shape": (3, 2)}, 12, (3, 2)),
    "student_t": Case(tfvae.layers.IndependentStudentT, {"event_shape": (3, 2)}, 18, (3, 2)),
    "continuous_bernoulli": Case(tfvae.layers.IndependentContinuousBernoulli, {"event_shape": (2, 3)}, 6, (2, 3)),
    "beta": Case(tfvae.layers.IndependentBeta, {"event_shape": (2, 3)}, 12, (2, 3)),
    "kumaraswamy": Case(tfvae.layers.IndependentKumaraswamy, {"event_shape": (2, 3)}, 12, (2, 3)),
    "kumaraswamy_sticks": Case(
        tfvae.layers.KumaraswamySticks, {"event_size": 3, "start": 2.0}, 6, (3,), size_arguments={"event_size": 3}
    ),
    "gamma_sticks": Case(
        tfvae.layers.GammaSticks, {"event_size": 3, "start": 2.0}, 6, (3,), size_arguments={"event_size": 3}
    ),
    "logit_normal_sticks": Case(tfvae.layers.LogitNormalSticks, {"event_size": 3}, 6, (3,)),
    "negative_binomial": Case(
        tfvae.layers.IndependentNegativeBinomial, {"event_shape": (2, 3)}, 12, (2, 3), small_counts
    ),
    "zero_inflated_negative_binomial": Case(
        tfvae.layers.IndependentZeroInflatedNegativeBinomial, {"event_shape": (2, 3)}, 18, (2, 3), small_counts
    ),
    "sized_negative_binomial": Case(
        tfvae.layers.SizedNegativeBinomial, {"event_size": 4, "zero_inflated": True}, 9, (4,), small_counts
    ),
    "beta_binomial": Case(
        tfvae.layers.BetaBinomial,
        {"event_shape": (2, 3), "total_count": 4},
        12,
        (2, 3),
        small_counts,
    ),
    "low_rank": Case(tfvae.layers.MultivariateNormalDiagPlusLowRank, {"event_size": 4, "rank": 2}, 16, (4,)),
    "generic": Case(
        tfvae.layers.GenericDistribution,
        {"distribution_class": "Gamma", "event_shape": (3, 2)},
        12,
        (3, 2),
    ),
    "logistic": Case(tfvae.layers.IndependentLogistic, {"event_shape": (3, 2)}, 12, (3, 2)),
    "poisson": Case(tfvae.layers.IndependentPoisson, {"event_shape": (2, 3, 1)}, 6, (2, 3, 1)),
    "one_hot": Case(tfvae.layers.OneHotCategorical, {"event_size": 4}, 4, (4,), one_hot),
    "mixture_of_one_hot": Case(
        tfvae.layers.CategoricalMixtureOfOneHotCategorical, {"event_size": 4, "num_components": 3}, 15, (4,), one_hot
    ),
    "mixture_normal": Case(
        tfvae.layers.MixtureNormal,
        {"num_components": 3, "event_shape": (2, 1)},
        15,
        (2, 1),
        sample_has_partial_gradient=True,
    ),
    "mixture_logistic": Case(
        tfvae.layers.MixtureLogistic,
        {"num_components": 2, "event_shape": (3,)},
        14,
        (3,),
        sample_has_partial_gradient=True,
    ),
    "mixture_same_family": Case(
        tfvae.layers.MixtureSameFamily,
        {"num_components": 3, "component_layer": lambda: tfvae.layers.MultivariateNormalTriL(2)},
        18,
        (2,),
        size_arguments={"num_components": 3, "component_params_size": 5},
        sample_has_partial_gradient=True,
    ),
    "discretized_logistic": Case(
        tfvae.layers.DiscretizedLogistic,
        {"event_shape": (2, 3, 1)},
        12,
        (2, 3, 1),
        on_grid,
    ),
    "discretized_mixture": Case(
        tfvae.layers.DiscretizedLogisticMixture,
        {"event_shape": (2, 1, 3), "num_components": 2},
        40,
        (2, 1, 3),
        on_grid,
    ),
    "von_mises_fisher": Case(tfvae.layers.VonMisesFisher, {"event_size": 4}, 5, (4,), one_hot),  # also on the sphere
    "poincare_normal": Case(
        tfvae.layers.PoincareNormal,
        {"event_size": 3, "curvature": 0.5, "isotropic": True},
        4,
        (3,),
        in_ball,
        size_arguments={"event_size": 3, "isotropic": True},
    ),
    "riemannian_normal": Case(
        tfvae.layers.RiemannianNormal,
        {"event_size": 3, "curvature": 0.5},
        4,
        (3,),
        in_ball,
        size_arguments={"event_size": 3},
    ),
    "standardized": Case(
        tfvae.layers.Standardized,
        {"layer": tfvae.layers.IndependentNormal((3, 2))},
        12,
        (3, 2),
    ),
    "table": Case(tfvae.layers.TableLikelihood, {"schema": COLUMNS}, 43, (7,), rows, sample_has_partial_gradient=True),
    "lambda": Case(tfvae.layers.DistributionLambda, {"make_distribution_fn": make_laplace}, 10, (5,)),
}
SIZED = [name for name in CASES if name != "lambda"]
# Of every kind one: own parameterisation, declared, TFP's, around another layer, a sampler of its own, a function.
KINDS = ("diag", "bernoulli", "generic", "mixture_same_family", "von_mises_fisher", "lambda")


@pytest.fixture(params=slow_except(CASES, *KINDS))
def case(request):
    return CASES[request.param]


# All but those that have no more than an event shape to keep, as "bernoulli" has.
SHAPED = {
    "laplace",
    "continuous_bernoulli",
    "beta",
    "kumaraswamy",
    "logit_normal_sticks",
    "negative_binomial",
    "logistic",
    "poisson",
}


@pytest.fixture(params=slow_except(CASES, *(set(CASES) - SHAPED)))
def every_case(request):
    return CASES[request.param]


def some_parameters(case, *batch_shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).normal(size=(*batch_shape, case.size)).astype(dtype)


def some_data(case, *batch_shape, dtype="float32", seed=1):
    return case.data(np.random.default_rng(seed), (*batch_shape, *case.event_shape)).astype(dtype)


def functional(case, **kwargs):
    inputs = keras.Input((4,))
    return keras.Model(inputs, case.make(**kwargs)(keras.layers.Dense(case.size)(inputs)))


def sequential(case, **kwargs):
    return keras.Sequential([keras.layers.Dense(case.size), case.make(**kwargs)])


def subclassed(case, **kwargs):
    return Subclassed(keras.layers.Dense(case.size), case.make(**kwargs))


MODELS = {"functional": functional, "sequential": sequential, "subclassed": subclassed}


def test_eager_call_is_distribution_and_tensor(case):
    parameters = some_parameters(case, 4)
    y = case.make(seed=1)(parameters)
    assert isinstance(y, tfd.Distribution)
    assert tf.is_tensor(y)
    assert y.event_shape == case.event_shape
    assert y.batch_shape == (4,)
    assert y.dtype == tf.float32
    assert y.shape == (4, *case.event_shape)
    assert np.asarray(y).shape == (4, *case.event_shape)
    assert y.log_prob(some_data(case, 4)).shape == (4,)
    assert y.sample(7).shape == (7, 4, *case.event_shape)


@pytest.mark.parametrize(
    "batch_shape", [(), (0,), *(pytest.param(shape, marks=pytest.mark.slow) for shape in ((4,), (2, 5), (0, 3)))]
)
def test_any_number_of_batch_axes(case, batch_shape):
    y = case.make()(some_parameters(case, *batch_shape))
    assert y.batch_shape == batch_shape
    assert tf.convert_to_tensor(y).shape == (*batch_shape, *case.event_shape)
    assert y.log_prob(some_data(case, *batch_shape)).shape == batch_shape


def test_leading_axes_are_independent_of_each_other(case):
    parameters, x = some_parameters(case, 2, 5), some_data(case, 2, 5)
    layer = case.make()
    together = layer(parameters).log_prob(x)
    apart = layer(parameters.reshape(10, case.size)).log_prob(x.reshape(10, *case.event_shape))
    np.testing.assert_allclose(together, tf.reshape(apart, (2, 5)), rtol=1e-6)


def log_prob_and_gradient(layer, parameters, x):
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        log_prob = layer(parameters).log_prob(x)
    return log_prob, tape.gradient(log_prob, parameters)


@pytest.mark.parametrize(
    ("case", "batch_size", "jit_compile"),
    slow_except(
        itertools.product(CASES, [None, 4], [False, True]),
        ("diag", None, True),
        ("bernoulli", None, False),
        ("generic", None, True),
        ("mixture_same_family", None, False),
        ("discretized_mixture", None, False),
        ("von_mises_fisher", None, True),
        ("lambda", 4, False),
    ),
    indirect=["case"],
)
def test_graph_and_xla_give_the_eager_numbers(case, jit_compile, batch_size):
    layer = case.make()
    parameters, x = tf.constant(some_parameters(case, 4)), tf.constant(some_data(case, 4))
    log_prob, gradient = log_prob_and_gradient(layer, parameters, x)
    signature = [
        tf.TensorSpec([batch_size, case.size], tf.float32),
        tf.TensorSpec([batch_size, *case.event_shape], tf.float32),
    ]

    @tf.function(input_signature=signature, jit_compile=jit_compile)
    def compiled(parameters, x):
        return log_prob_and_gradient(layer, parameters, x)

    compiled_log_prob, compiled_gradient = compiled(parameters, x)
    np.testing.assert_allclose(compiled_log_prob, log_prob, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(compiled_gradient, gradient, rtol=1e-4, atol=1e-5)
    assert np.all(np.any(np.asarray(gradient) != 0.0, axis=0)), "every parameter matters to log_prob"


@pytest.mark.parametrize(
    ("case", "jit_compile"),
    slow_except(
        itertools.product(CASES, [False, True]),
        ("diag", True),
        ("bernoulli", False),
        ("beta_binomial", True),
        ("generic", False),
        ("mixture_same_family", False),
        ("von_mises_fisher", False),
    ),
    indirect=["case"],
)
def test_samples_in_graph_and_xla_follow_the_seed(case, jit_compile):
    if jit_compile and not case.cls.samples_under_xla:
        assert case.make().supports_jit is False
        assert case.make(convert_to_tensor_fn="mean").supports_jit is True
        return
    parameters = tf.constant(some_parameters(case, 4))

    def two_samples(compiled=True):
        layer = case.make(seed=5)
        sample = lambda t: tf.convert_to_tensor(layer(t))  # noqa: E731
        if compiled:
            signature = [tf.TensorSpec([None, case.size], tf.float32)]
            sample = tf.function(sample, input_signature=signature, jit_compile=jit_compile)
        return sample(parameters).numpy(), sample(parameters).numpy()

    first, second = two_samples()
    assert np.any(first != second), "the seed must advance with each call"
    if jit_compile:  # there the same seed gives other floats: TensorFlow's `alg="auto_select"` picks by compiler
        np.testing.assert_array_equal(two_samples(), (first, second))
    else:
        np.testing.assert_allclose(two_samples(compiled=False), (first, second), rtol=1e-5, atol=1e-5)


def test_another_seed_is_another_sample(case):
    parameters = some_parameters(case, 40)
    one, same, other = (np.asarray(case.make(seed=seed)(parameters)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


def test_converted_value_is_computed_once(case):
    parameters = some_parameters(case, 40)
    y = case.make()(parameters)
    np.testing.assert_array_equal(tf.convert_to_tensor(y), np.asarray(y))
    np.testing.assert_array_equal(y + 0.0, tf.convert_to_tensor(y))


@pytest.mark.parametrize("case", slow_except(CASES, "diag", "lambda"), indirect=True)
def test_two_consumers_in_a_model_see_the_same_sample(case):
    inputs = keras.Input((case.size,))
    y = case.make()(inputs)
    heads = [keras.layers.Rescaling(2.0)(y), keras.layers.Rescaling(3.0)(y)]
    model = keras.Model(inputs, heads)
    for a, b in (model(some_parameters(case, 40)), model.predict(some_parameters(case, 40), verbose=0)):
        np.testing.assert_allclose(np.asarray(a) * 1.5, b, rtol=1e-6)


SPELLED = (
    "diag-functional",
    "diag-sequential",
    "diag-subclassed",
    "mixture_same_family-sequential",
    "lambda-subclassed",
)


@pytest.fixture(scope="module", params=slow_except(map("-".join, itertools.product(CASES, MODELS)), *SPELLED))
def spelled(request):
    """A layer's case, and a model of it."""
    name, model = request.param.split("-")
    return CASES[name], MODELS[model](CASES[name], seed=3)


def test_models_return_the_distribution(spelled):
    case, model = spelled
    x = np.ones((4, 4), "float32")
    y = model(x)
    assert isinstance(y, tfd.Distribution)
    assert y.batch_shape == (4,)
    assert y.event_shape == case.event_shape
    model.compile(jit_compile=False)
    assert model.predict(x, verbose=0).shape == (4, *case.event_shape)


def test_keras_file_round_trip_in_safe_mode(spelled, tmp_path):
    """What is loaded is the same model, where its random numbers stood."""
    case, model = spelled
    x = np.random.default_rng(0).normal(size=(4, 4)).astype("float32")
    np.asarray(model(x))
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path, safe_mode=True)
    np.testing.assert_array_equal(model(x).log_prob(some_data(case, 4)), loaded(x).log_prob(some_data(case, 4)))
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(loaded(x)))


def test_symbolic_shape(case):
    y = case.make()(keras.Input((case.size,)))
    assert isinstance(y, keras.KerasTensor)
    assert y.shape == (None, *case.event_shape)
    assert y.dtype == "float32"
    fixed = case.make()(keras.Input((case.size,), batch_size=7))
    assert fixed.shape == (7, *case.event_shape)
    two_axes = case.make()(keras.Input((5, case.size)))
    assert two_axes.shape == (None, 5, *case.event_shape)
    assert functional(case).output_shape == (None, *case.event_shape)


def test_building_symbolically_leaves_the_seed_alone(case):
    parameters = some_parameters(case, 4)
    layer, built = case.make(seed=2), case.make(seed=2)
    built(keras.Input((case.size,)))
    np.testing.assert_array_equal(layer(parameters), built(parameters))


@pytest.mark.parametrize(
    ("case", "name", "jit_compile"),
    slow_except(
        # XLA is tried on one spelling of the model.
        [*itertools.product(CASES, MODELS, [False]), *itertools.product(CASES, ["functional"], [True])],
        ("diag", "functional", True),
        ("bernoulli", "sequential", False),
        ("lambda", "subclassed", False),
    ),
    indirect=["case"],
)
def test_fit_with_a_plain_lambda_loss(case, name, jit_compile):
    model = MODELS[name](case)
    x, y = np.random.default_rng(0).normal(size=(11, 4)).astype("float32"), some_data(case, 11)
    model(x)
    for weight in model.trainable_variables:
        weight.assign(0.1 * weight)  # near parameters of zero the loss is smooth, and small steps go down for sure
    model.compile(keras.optimizers.SGD(1e-3), loss=lambda x, rv: -rv.log_prob(x), jit_compile=jit_compile)
    before = float(-tf.reduce_mean(model(x).log_prob(y)))
    history = model.fit(x, y, batch_size=11, epochs=3, verbose=0).history["loss"]
    np.testing.assert_allclose(history[0], before, rtol=1e-4)
    assert history[-1] < history[0]


def test_gradient_reaches_the_weights_before(case):
    model = functional(case, convert_to_tensor_fn="mean")
    with tf.GradientTape() as tape:
        y = model(np.ones((4, 4), "float32"))
        loss = tf.reduce_mean(y.log_prob(some_data(case, 4))) + tf.reduce_mean(keras.ops.square(y))
    assert all(g is not None for g in tape.gradient(loss, model.trainable_variables))


def test_sample_is_reparameterised_where_tfp_says_so(case):
    parameters = tf.constant(some_parameters(case, 4))
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        y = case.make()(parameters)
        value = tf.reduce_sum(tf.convert_to_tensor(y))
    is_full = y.reparameterization_type == tfd.FULLY_REPARAMETERIZED
    assert (tape.gradient(value, parameters) is not None) == (is_full or case.sample_has_partial_gradient)


def test_config_through_json(every_case):
    case = every_case
    layer = case.make(convert_to_tensor_fn="mean", validate_args=True, seed=7, name="named")
    config = json.dumps(layer.get_config())
    again = case.cls.from_config(json.loads(config))
    assert json.dumps(again.get_config()) == config
    assert again.name == "named"
    assert again.seed == 7
    assert again.validate_args is True
    parameters, x = some_parameters(case, 4), some_data(case, 4)
    parameters, x = parameters, (x > 0.5).astype("float32")  # validate_args wants Bernoulli's own support
    np.testing.assert_array_equal(layer(parameters).log_prob(x), again(parameters).log_prob(x))
    np.testing.assert_array_equal(layer(parameters), again(parameters))


@pytest.mark.parametrize(
    ("case", "policy"),
    slow_except(
        itertools.product(CASES, ["mixed_float16", "mixed_bfloat16"]),
        ("diag", "mixed_bfloat16"),
        ("mixture_same_family", "mixed_float16"),
    ),
    indirect=["case"],
)
def test_mixed_precision_keeps_the_distribution_in_float32(case, policy, set_policy):
    set_policy(policy)
    model = functional(case)
    x = np.random.default_rng(0).normal(size=(4, 4)).astype("float32")
    y = model(x)
    assert model.layers[1](x).dtype == tf.as_dtype(policy.removeprefix("mixed_"))
    assert y.dtype == tf.float32
    assert y.log_prob(some_data(case, 4)).dtype == tf.float32
    assert tf.convert_to_tensor(y).dtype == tf.float32
    assert model.output.dtype == "float32"
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(x).log_prob(some_data(case, 4)))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(np.isfinite(g).all() for g in gradients)
    model.compile("sgd", loss=lambda x, rv: -rv.log_prob(x), run_eagerly=True)
    assert np.isfinite(model.fit(x, some_data(case, 4), verbose=0).history["loss"]).all()


def test_inputs_are_cast_to_the_layers_dtype(case, set_policy):
    parameters, x = some_parameters(case, 4, dtype="float64"), some_data(case, 4, dtype="float64")
    for given in (parameters, tf.constant(parameters)):
        single = case.make()(given)
        assert single.dtype == tf.convert_to_tensor(single).dtype == single.log_prob(x).dtype == tf.float32
    set_policy("float64")
    assert case.make()(parameters.astype("float32")).dtype == tf.float64
    double = case.make()(parameters)
    assert double.dtype == tf.convert_to_tensor(double).dtype == double.log_prob(x).dtype == tf.float64
    np.testing.assert_allclose(double.log_prob(x), single.log_prob(x), rtol=1e-4)


@pytest.mark.parametrize("case", slow_except(CASES, "diag"), indirect=True)
def test_float64_policy(case, set_policy):
    set_policy("float64")
    model = functional(case)
    assert model.output.dtype == "float64"
    y = model(np.ones((4, 4)))
    assert y.dtype == tf.float64
    assert model.predict(np.ones((4, 4)), verbose=0).dtype == np.float64


@pytest.mark.parametrize("name", SIZED)
def test_params_size_is_a_plain_int(name):
    case = CASES[name]
    arguments = case.arguments if case.size_arguments is None else case.size_arguments
    as_numpy = {key: np.asarray(v)[()] if isinstance(v, int | tuple) else v for key, v in arguments.items()}
    as_shape = {key: tf.TensorShape(v) if key.startswith("event_") else v for key, v in arguments.items()}
    for spelling in (arguments, as_numpy, as_shape):
        size = case.cls.params_size(**spelling)
        assert type(size) is int
        assert size == case.size
    keras.layers.Dense(case.cls.params_size(**as_numpy))
    assert case.make().parameters_size == case.size


@pytest.mark.parametrize("name", SIZED)
def test_wrong_parameter_width_is_one_clear_error(name):
    case = CASES[name]
    for inputs in (np.zeros((4, case.size + 1), "float32"), keras.Input((case.size + 1,))):
        with pytest.raises(ValueError, match=f"needs {case.size} parameters") as caught:
            case.make()(inputs)
        message = str(caught.value)
        assert str(case.size + 1) in message
        assert case.cls.__name__ in message
        assert "params_size" in message


@pytest.mark.parametrize("name", SIZED)
def test_wrong_parameter_width_after_a_right_one_is_the_same_error(name):
    case = CASES[name]
    layer = case.make()
    layer(np.zeros((4, case.size), "float32"))
    with pytest.raises(ValueError, match=f"needs {case.size} parameters"):
        layer(np.zeros((4, case.size + 1), "float32"))


@pytest.mark.parametrize("size", [0, -1, (2, None), "3", None])
def test_impossible_sizes_are_refused(size):
    for make in (tfvae.layers.MultivariateNormalDiag, tfvae.layers.MultivariateNormalTriL):
        with pytest.raises((ValueError, TypeError)):
            make(size)
    if size != 0:
        with pytest.raises(ValueError, match="event shape"):
            tfvae.layers.IndependentNormal(size)


def test_distribution_lambda_names_what_is_not_a_distribution():
    with pytest.raises(TypeError, match=r"must return a tfd\.Distribution"):
        tfvae.layers.DistributionLambda(lambda t: t * 2.0)(np.zeros((2, 3), "float32"))
    with pytest.raises(TypeError, match="make_distribution_fn"):
        tfvae.layers.DistributionLambda("normal")


def test_ordinary_layers_losses_and_metrics_take_the_value():
    inputs = keras.Input((4,))
    y = tfvae.layers.MultivariateNormalDiag(2, "mean")(keras.layers.Dense(4)(inputs))
    joined = keras.layers.Concatenate()([y, keras.layers.Dense(3)(y)])
    model = keras.Model(inputs, [y, joined])
    x = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    value, more = model.predict(x, verbose=0)
    np.testing.assert_allclose(more[:, :2], value)
    single = keras.Model(inputs, y)
    single.compile("sgd", loss="mse", metrics=["mae"], run_eagerly=True)
    loss, mae = single.evaluate(x, np.zeros((6, 2), "float32"), verbose=0)
    np.testing.assert_allclose([loss, mae], [np.mean(value**2), np.mean(np.abs(value))], rtol=1e-5)


def test_distribution_converted_first_inside_a_function_stays_usable():
    y = tfvae.layers.MultivariateNormalDiag(2)(np.zeros((3, 4), "float32"))
    inside = tf.function(lambda: tf.convert_to_tensor(y) * 2.0)()
    np.testing.assert_array_equal(inside, np.asarray(y) * 2.0)


def test_distribution_converted_first_inside_a_branch_stays_usable():
    layer = tfvae.layers.MultivariateNormalDiag(2)

    @tf.function
    def both(parameters):
        y = layer(parameters)
        inside = tf.cond(tf.reduce_sum(parameters) > -1.0, lambda: tf.convert_to_tensor(y), lambda: tf.zeros([3, 2]))
        return inside, tf.convert_to_tensor(y)

    inside, outside = both(np.zeros((3, 4), "float32"))
    np.testing.assert_array_equal(inside, outside)


@keras.saving.register_keras_serializable(package=PACKAGE)
class Around(keras.Model):
    """Holds a network that Keras can build only by tracing this one's call."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs)


@pytest.mark.parametrize("case", slow_except(CASES, "diag"), indirect=True)
def test_network_inside_a_subclassed_model_is_built_by_tracing(case):
    for inputs in (np.ones((4, 4), "float32"), keras.Input((4,))):
        model = Around(sequential(case))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras warns when its trace fails
            y = model(inputs)
        assert tuple(y.shape[1:]) == case.event_shape
        assert model.inner.built

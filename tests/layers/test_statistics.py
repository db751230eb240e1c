"""What is drawn from a distribution layer is what its `log_prob` says, for every layer: cells, moments and gradients.

The error budget: every comparison fails by chance as often as a normal variable is five standard errors off, once in
1.7 million. There are fewer than 700, so that a right program fails this file in less than one run out of 2,000,
whatever the seeds.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats
from slow import slow_except

from tfvae import flows, layers
from tfvae.networks import AutoregressiveNetwork
from tfvae.tables import Column, Schema

tfd = tfp.distributions

SEED = 1
NUM_SAMPLES = 20_000
BY_CHANCE = 2 * stats.norm.sf(5.0)


# ---- The layers, each with parameters of one distribution in which no two elements are alike


def softplus_normal(parameters):
    loc, raw_scale = tf.split(parameters, 2, axis=-1)
    return tfd.Independent(tfd.Normal(loc, tf.nn.softplus(raw_scale)), 1)


class Kernel(keras.layers.Layer):
    kernel = tfp.math.psd_kernels.ExponentiatedQuadratic(np.float64(1.3), np.float64(0.7))


def gaussian_process(**kwargs):
    """At two points; what it has for parameters are weights, so that its draws are not told apart by their inputs."""
    layer = layers.VariationalGaussianProcess(
        3,
        Kernel(dtype="float64"),
        inducing_index_points_initializer=keras.initializers.Constant(np.array([[[-1.0], [0.2], [0.9]]])),
        unconstrained_observation_noise_variance_initializer=keras.initializers.Constant(-1.0),
        variational_inducing_observations_scale_initializer=keras.initializers.Constant(
            [[[0.6, 0.0, 0.0], [0.3, 0.8, 0.0], [-0.4, 0.2, 0.5]]]
        ),
        **kwargs,
    )
    layer.build((2, 1))
    layer.variational_inducing_observations_loc.assign([[0.5, -1.0, 2.0]])
    return layer


def standardized_normal(**kwargs):
    layer = layers.Standardized(layers.IndependentNormal((2,)), **kwargs)
    layer.loc.assign([3.0, -2.0])
    layer.scale.assign([2.0, 0.5])
    return layer


def table(schema, loc=None, scale=None, **kwargs):
    layer = layers.TableLikelihood(schema, **kwargs)
    layer.loc.assign(layer.loc if loc is None else loc)
    layer.scale.assign(layer.scale if scale is None else scale)
    return layer


NUMBERS = [Column("income", "real"), Column("mass", "positive"), Column("share", "bounded", low=-1.0, high=3.0)]
COUNTED = [
    Column("grade", "ordinal", ("a", "b", "c", "d")),
    Column("n", "count"),
    Column("alive", "boolean", ("n", "y")),
]


@functools.cache
def made():
    """A network whose outputs depend on its inputs."""
    network = AutoregressiveNetwork(params=2, event_shape=2, hidden_units=[4], activation="tanh", seed=3)
    network.build((None, 2))
    return network


class Grid(NamedTuple):
    """The events of finitely many values; of infinitely many, all that matter."""

    events: np.ndarray  # [C, *event]


def grid(*values):
    return Grid(np.array(list(itertools.product(*values)), "float32"))


def scalar_grid(values):
    return Grid(np.array(values, "float32"))


class Region(NamedTuple):
    """Coordinates of continuous events in which volume is dc_1 ... dc_d."""

    coordinates: Callable[[np.ndarray], np.ndarray]  # [N, *event] -> [N, d]
    events: Callable[[np.ndarray], np.ndarray]  # its inverse


def flat(*event_shape):
    return Region(lambda x: x.reshape(len(x), -1), lambda c: c.reshape(-1, *event_shape))


# On the sphere the area between two heights does not depend on where they are (Archimedes).
SPHERE = Region(
    lambda x: np.stack([x[:, 2], np.arctan2(x[:, 1], x[:, 0])], axis=-1),
    lambda c: np.stack([*(np.sqrt(1 - c[:, 0] ** 2) * f(c[:, 1]) for f in (np.cos, np.sin)), c[:, 0]], axis=-1),
)


class Case(NamedTuple):
    """A layer and the parameters of one distribution.

    Attributes:
        make: the layer.
        parameters: `[P]`, what the layer takes.
        where: its events.
        lacks: of "mean", "variance" and "entropy" those that the distribution does not know.
        prepare: makes the layer's input of parameters `[..., P]`.
    """

    make: Callable[..., Any]
    parameters: list[float]
    where: Grid | Region
    lacks: tuple[str, ...] = ()
    prepare: Callable[[Any], Any] = tf.identity

    @property
    def has_parameters(self):
        return bool(self.parameters)


def case(layer, *arguments, parameters, where, **kwargs):
    return Case(functools.partial(layer, *arguments), parameters, where, **kwargs)


COUNTS = range(60)
CASES = {
    "diag": case(layers.MultivariateNormalDiag, 2, parameters=[0.5, -1.0, 0.2, 1.1], where=flat(2)),
    "tril": case(
        layers.MultivariateNormalTriL,
        3,
        parameters=[0.5, -1.0, 2.0, 0.3, -0.6, 0.9, 0.7, 0.1, -0.4],
        where=flat(3),
    ),
    "low_rank": case(
        layers.MultivariateNormalDiagPlusLowRank,
        3,
        2,
        parameters=[0.5, -1.0, 2.0, 0.1, 0.6, -0.5, 0.8, -0.3, 0.2, 0.5, -0.7, 0.4],
        where=flat(3),
    ),
    "von_mises_fisher": case(layers.VonMisesFisher, 3, parameters=[0.6, -0.3, 0.5, 2.0], where=SPHERE),
    "poincare_normal": case(
        layers.PoincareNormal,
        2,
        0.7,
        parameters=[0.5, -0.3, 0.2, -0.6],
        where=flat(2),
        lacks=("mean", "variance", "entropy"),  # the moments are averages over few draws
    ),
    "riemannian_normal": case(
        layers.RiemannianNormal,
        2,
        0.7,
        parameters=[0.5, -0.3, 0.2],
        where=flat(2),
        lacks=("mean", "variance", "entropy"),
    ),
    "bernoulli": case(layers.IndependentBernoulli, (3,), parameters=[-1.2, 0.3, 0.9], where=grid(*[(0, 1)] * 3)),
    "continuous_bernoulli": case(layers.IndependentContinuousBernoulli, (2,), parameters=[-2.5, 0.01], where=flat(2)),
    "beta": case(layers.IndependentBeta, (2,), parameters=[1.5, 3.0, 2.5, 1.0], where=flat(2)),
    "kumaraswamy": case(layers.IndependentKumaraswamy, (2,), parameters=[1.5, 3.0, 2.5, 1.0], where=flat(2)),
    "kumaraswamy_sticks": case(
        layers.KumaraswamySticks, 2, 3.0, parameters=[1.5, 0.5, 1.0, -1.0], where=flat(2), lacks=("variance",)
    ),
    "gamma_sticks": case(layers.GammaSticks, 2, 3.0, parameters=[1.5, 0.5, 1.0, -1.0], where=flat(2)),
    "logit_normal_sticks": case(layers.LogitNormalSticks, 2, parameters=[0.5, -1.0, 0.2, 1.1], where=flat(2)),
    "beta_binomial": case(
        layers.BetaBinomial,
        (2,),
        4,
        parameters=[1.0, 2.0, -0.3, 1.5],
        where=grid(range(5), range(5)),
        lacks=("entropy",),
    ),
    "discretized_logistic": case(
        layers.DiscretizedLogistic,
        (2,),
        5,
        parameters=[-0.6, 0.3, -1.0, -1.5],
        where=grid(np.arange(5) / 4, np.arange(5) / 4),
    ),
    "discretized_logistic, 8 bits": case(
        layers.DiscretizedLogistic, (), parameters=[0.1, -2.0], where=scalar_grid(np.arange(256) / 255)
    ),
    "discretized_logistic_mixture": case(
        layers.DiscretizedLogisticMixture,
        (3,),
        2,
        4,
        parameters=[
            *(0.4, -0.5, 0.3, 0.1, -1.0, -0.6, -1.3, 1.0, -0.7, 0.5),
            *(-0.3, 0.6, -0.2, 0.4, -1.2, -0.8, -0.4, -0.6, 0.9, -1.1),
        ],
        where=grid(*[np.arange(4) / 3] * 3),
        lacks=("mean", "variance", "entropy"),  # the mean of the later channels is an approximation
    ),
    "normal": case(layers.IndependentNormal, (2,), parameters=[-0.4, 2.0, 1.4, -0.5], where=flat(2)),
    "standardized": Case(standardized_normal, [-0.4, 2.0, 1.4, -0.5], flat(2)),
    "logistic": case(layers.IndependentLogistic, (2,), parameters=[1.5, -0.3, -0.8, 0.6], where=flat(2)),
    "laplace": case(layers.IndependentLaplace, (2,), parameters=[0.9, -2.0, 0.7, -0.2], where=flat(2)),
    "student_t": case(layers.IndependentStudentT, (2,), parameters=[10.0, 20.0, 0.5, -1.0, 0.2, 1.1], where=flat(2)),
    "poisson": case(
        layers.IndependentPoisson, (2,), parameters=[0.4, 1.3], where=grid(COUNTS, COUNTS), lacks=("entropy",)
    ),
    "negative_binomial": case(
        layers.IndependentNegativeBinomial,
        (2,),
        parameters=[1.5, 3.0, 0.3, -0.7],
        where=grid(COUNTS, COUNTS),
        lacks=("entropy",),
    ),
    "zero_inflated_negative_binomial": case(
        layers.IndependentZeroInflatedNegativeBinomial,
        (2,),
        parameters=[1.5, 3.0, 0.3, -0.7, -1.0, 0.5],
        where=grid(COUNTS, COUNTS),
        lacks=("entropy",),
    ),
    "sized_negative_binomial": case(
        layers.SizedNegativeBinomial,
        2,
        True,
        parameters=[0.5, -0.3, 2.0, 3.5, 5.0],
        where=grid(COUNTS, COUNTS),
        lacks=("entropy",),
    ),
    "categorical": case(
        layers.IndependentCategorical,
        (2,),
        3,
        parameters=[0.3, -0.5, 0.8, -1.0, 0.1, 0.6],
        where=grid(range(3), range(3)),
    ),
    "one_hot": case(
        layers.OneHotCategorical, 4, parameters=[0.3, -0.5, 0.8, -1.0], where=Grid(np.eye(4, dtype="float32"))
    ),
    "mixture_of_one_hot": case(
        layers.CategoricalMixtureOfOneHotCategorical,
        4,
        2,
        parameters=[0.6, -0.2, 0.3, -0.5, 0.8, -1.0, -0.9, 1.1, 0.2, 0.5],
        where=Grid(np.eye(4, dtype="float32")),
        lacks=("entropy",),
    ),
    "mixture_normal": case(
        layers.MixtureNormal,
        2,
        (2,),
        parameters=[0.6, -0.2, 1.5, -1.0, 0.2, 0.9, -1.0, 0.5, 0.7, -0.3],
        where=flat(2),
        lacks=("entropy",),
    ),
    "mixture_logistic": case(
        layers.MixtureLogistic,
        2,
        (2,),
        parameters=[0.6, -0.2, 1.5, -1.0, -0.5, 0.2, -1.0, 0.5, 0.1, -0.8],
        where=flat(2),
        lacks=("entropy",),
    ),
    "mixture_same_family": case(
        layers.MixtureSameFamily,
        2,
        layers.MultivariateNormalTriL(2),
        parameters=[0.6, -0.2, 1.5, -1.0, 0.2, 0.9, 0.5, -1.0, 0.5, 0.7, -0.8, -0.3],
        where=flat(2),
        lacks=("entropy",),
    ),
    "generic": case(layers.GenericDistribution, tfd.Gamma, (2,), parameters=[2.5, 4.0, 0.5, -0.3], where=flat(2)),
    "lambda": case(layers.DistributionLambda, softplus_normal, parameters=[-1.3, 0.8, -0.6, 0.4], where=flat(2)),
    "autoregressive": Case(
        lambda **kwargs: layers.AutoregressiveTransform(made(), **kwargs),
        [0.5, -1.0, 0.2, 0.6],
        flat(2),
        lacks=("mean", "variance", "entropy"),
        prepare=layers.MultivariateNormalDiag(2),
    ),
    "normalizing_flow": Case(
        lambda **kwargs: layers.NormalizingFlow(2, [flows.Planar(), flows.Radial()], **kwargs),
        [0.5, -1.0, 0.2, 0.6, 0.8, -0.4, 0.7, 1.2, 0.3, 0.4, -0.2, 0.5, 0.6],
        flat(2),
        lacks=("mean", "variance", "entropy"),  # the moments are averages over few draws
    ),
    "table of numbers": Case(
        functools.partial(table, Schema(NUMBERS), [3.0, 1.0, 0.5], [2.0, 0.4, 0.8], num_components=2),
        [-0.4, 0.6, 0.2, -0.3, 0.7, -0.2, 0.5, -0.6, 0.3, 0.1, -0.5, 0.4, 0.2, -0.1, 0.6, -0.4, 0.3, -0.2],
        flat(3),
        lacks=("variance", "entropy"),
    ),
    "table of counts": Case(
        functools.partial(table, Schema(COUNTED), num_components=2),
        [0.4, 0.7, -0.3, 0.3, -0.5, 0.6, 0.2, -0.4, 0.5, -0.2],
        grid(range(4), COUNTS, range(2)),
        lacks=("variance", "entropy"),
    ),
    "gaussian_process": Case(gaussian_process, [], flat(2, 1), prepare=lambda _: np.array([[-0.3], [0.6]])),
}
TILED = [name for name in CASES if CASES[name].has_parameters]
# As `tfd.FULLY_REPARAMETERIZED` has it.
REPARAMETERIZED = [
    "diag",
    "tril",
    "low_rank",
    "von_mises_fisher",
    "poincare_normal",
    "riemannian_normal",
    "continuous_bernoulli",
    "beta",
    "kumaraswamy",
    "kumaraswamy_sticks",
    "gamma_sticks",
    "logit_normal_sticks",
    "normal",
    "standardized",
    "logistic",
    "laplace",
    "student_t",
    "generic",
    "lambda",
    "autoregressive",
    "normalizing_flow",
]
# Moments that are approximations.
APPROXIMATE = {
    ("discretized_logistic_mixture", "mean"),
    *(
        (name, moment)
        for name in ("autoregressive", "normalizing_flow", "poincare_normal", "riemannian_normal")
        for moment in ("mean", "variance")
    ),
}


def test_every_distribution_layer_has_a_case():
    public = {getattr(layers, name) for name in layers.__all__}
    wanted = {cls for cls in public if issubclass(cls, layers.DistributionLayer)}
    wanted -= {layers.DistributionLayer, layers.Joint}
    made = {case.make().__class__ for case in CASES.values()}
    assert made == wanted


# ---- Draws


def distribution_of(name, parameters=None, **kwargs):
    case = CASES[name]
    parameters = case.parameters if parameters is None else parameters
    return case.make(**kwargs)(case.prepare(tf.constant(parameters, tf.float32)))


def draws(distribution, seed=None):
    return distribution.sample(NUM_SAMPLES, seed=seed)


def by_sample(name, parameters=None):
    return distribution_of(name, parameters).sample(NUM_SAMPLES, seed=(SEED, 2))


def by_conversion(name, parameters=None):
    """As the next layer sees them: one from each of as many distributions that are all the same."""
    case = CASES[name]
    if not case.has_parameters:
        return tf.convert_to_tensor(distribution_of(name, convert_to_tensor_fn=draws, seed=SEED))
    parameters = np.tile(case.parameters if parameters is None else parameters, (NUM_SAMPLES, 1))
    return tf.convert_to_tensor(distribution_of(name, parameters, seed=SEED))


def by_compiled_conversion(name):
    """The same under XLA, which has samplers of its own."""
    case = CASES[name]
    layer = case.make(seed=SEED)
    draw = tf.function(lambda t: tf.convert_to_tensor(layer(case.prepare(t))), jit_compile=True)
    return draw(tf.constant(np.tile(case.parameters, (NUM_SAMPLES, 1)), tf.float32))


WAYS = {"sample": by_sample, "conversion": by_conversion, "compiled conversion": by_compiled_conversion}
# Those whose draws are more than a function of normal or uniform numbers; there is no binomial sampler for XLA.
COMPILED = [
    "bernoulli",
    "beta",
    "discretized_logistic_mixture",
    "generic",
    "mixture_normal",
    "negative_binomial",
    "zero_inflated_negative_binomial",
    "one_hot",
    "poisson",
    "student_t",
    "von_mises_fisher",
    "riemannian_normal",
]


@functools.cache
def samples_of(name, way, seed):
    x = np.asarray(WAYS[way](name))
    assert np.isfinite(x).all()
    return x


# ---- Comparisons


def assert_mean_is(values, expected):
    """The mean over axis 0 is within five standard errors of what is expected."""
    values = np.asarray(values, "float64")
    error = np.abs(values.mean(axis=0) - expected)
    standard_error = values.std(axis=0) / np.sqrt(len(values))
    assert np.all(error <= 5 * standard_error + 1e-6), f"off by {error / standard_error} standard errors"


def chi_square_p_value(counts, probabilities):
    expected = counts.sum() * probabilities
    is_frequent = expected >= 25
    counts, expected = (np.append(a[is_frequent], a[~is_frequent].sum()) for a in (counts, expected))
    if expected[-1] < 25:  # too few for a cell of their own
        smallest = np.argmin(expected[:-1])
        for a in (counts, expected):
            a[smallest] += a[-1]
        counts, expected = counts[:-1], expected[:-1]
    return stats.chi2.sf(np.sum((counts - expected) ** 2 / expected), len(counts) - 1)


def cells_of_grid(distribution, events, x):
    """How many draws each event has, and its probability; the last cell is of all others."""
    probabilities = np.exp(np.asarray(distribution.log_prob(events), "float64"))
    number = {event.tobytes(): i for i, event in enumerate(np.round(events, 4))}
    drawn, times = np.unique(np.round(x.astype("float32"), 4) + 0.0, axis=0, return_counts=True)  # no -0.0
    counts = np.zeros(len(events) + 1)
    for event, n in zip(drawn, times, strict=True):
        counts[number.get(event.tobytes(), -1)] += n
    return counts, np.append(probabilities, 1 - probabilities.sum())


def cells_of_region(distribution, region, x, other):
    """The same for boxes between quantiles of `other` draws, the probability being the integral of the density."""
    other = region.coordinates(np.asarray(other, "float64"))
    size = other.shape[1]
    num_cells, num_nodes = {2: (6, 16), 3: (4, 10)}[size]
    edges = np.quantile(other, np.linspace(0.01, 0.99, num_cells + 1), axis=0).T  # [d, cells + 1]
    nodes, weights = np.polynomial.legendre.leggauss(num_nodes)
    low, width = edges[:, :-1, np.newaxis], np.diff(edges)[..., np.newaxis]
    points = (low + width * (nodes + 1) / 2).reshape(size, -1)  # [d, cells * nodes]
    masses = (width * weights / 2).reshape(size, -1)
    at = np.stack(np.meshgrid(*points, indexing="ij"), axis=-1).reshape(-1, size)
    mass = functools.reduce(np.multiply.outer, masses).ravel()
    density = np.exp(np.asarray(distribution.log_prob(region.events(at)), "float64"))
    shape = [n for _ in range(size) for n in (num_cells, num_nodes)]
    probabilities = (density * mass).reshape(shape).sum(axis=tuple(range(1, 2 * size, 2)))
    counts, _ = np.histogramdd(region.coordinates(x.astype("float64")), bins=edges)
    counts, probabilities = counts.ravel(), probabilities.ravel()
    return np.append(counts, len(x) - counts.sum()), np.append(probabilities, 1 - probabilities.sum())


def agreement(name, x):
    """The p-value of draws `x` under the log_prob of the case."""
    distribution, where = distribution_of(name), CASES[name].where
    if isinstance(where, Grid):
        counts, probabilities = cells_of_grid(distribution, where.events, x)
    else:
        other = distribution.sample(4000, seed=(SEED, 7))
        counts, probabilities = cells_of_region(distribution, where, x, other)
    assert counts.sum() == len(x) == NUM_SAMPLES
    assert -1e-5 < probabilities[-1] < 0.25
    return chi_square_p_value(counts, probabilities)


# ---- The checks


DRAWN = [
    (name, way) for name, way in itertools.product(CASES, WAYS) if way != "compiled conversion" or name in COMPILED
]


@pytest.mark.parametrize(
    ("name", "way"),
    slow_except(
        DRAWN,
        ("diag", "conversion"),
        ("low_rank", "sample"),
        ("von_mises_fisher", "conversion"),
        ("poincare_normal", "sample"),
        ("riemannian_normal", "sample"),
        ("bernoulli", "compiled conversion"),
        ("continuous_bernoulli", "conversion"),
        ("beta_binomial", "conversion"),
        ("discretized_logistic", "conversion"),
        ("discretized_logistic_mixture", "conversion"),
        ("student_t", "conversion"),
        ("poisson", "conversion"),
        ("categorical", "sample"),
        ("mixture_of_one_hot", "conversion"),
        ("mixture_same_family", "conversion"),
        ("generic", "sample"),
        ("autoregressive", "sample"),
        ("gaussian_process", "conversion"),
    ),
)
def test_samples_fall_where_log_prob_says(name, way):
    assert agreement(name, samples_of(name, way, SEED)) > BY_CHANCE


@pytest.mark.parametrize("name", slow_except(TILED, "diag", "bernoulli", "generic", "mixture_same_family"))
def test_samples_of_other_parameters_do_not(name):
    """The check above is not blind."""
    parameters = CASES[name].parameters
    others = np.add(parameters, 0.5 * np.cos(np.arange(len(parameters)) + 0.5))
    assert agreement(name, np.asarray(by_sample(name, others))) < BY_CHANCE


# With moments, densities or samplers of their own, in this package or in TFP.
KINDS = (
    "diag",
    "von_mises_fisher",
    "continuous_bernoulli",
    "beta_binomial",
    "discretized_logistic",
    "student_t",
    "poisson",
    "mixture_of_one_hot",
    "mixture_same_family",
)


@pytest.mark.parametrize("name", slow_except(CASES, *KINDS, "gaussian_process"))
def test_moments_are_those_of_the_samples(name):
    distribution, x = distribution_of(name), samples_of(name, "conversion", SEED).astype("float64")
    lacks = CASES[name].lacks
    log_prob = np.asarray(distribution.log_prob(x))
    if "mean" not in lacks:
        assert_mean_is(x, distribution.mean())
    if "variance" not in lacks:
        assert_mean_is((x - x.mean(axis=0)) ** 2, distribution.variance())
    if "entropy" not in lacks:
        assert_mean_is(-log_prob, distribution.entropy())


@pytest.mark.parametrize("name", list(CASES))
def test_moments_that_are_lacking(name):
    distribution = distribution_of(name)
    for moment in CASES[name].lacks:
        if (name, moment) not in APPROXIMATE:
            with pytest.raises(NotImplementedError):
                getattr(distribution, moment)()


@pytest.mark.parametrize("name", slow_except(TILED, *KINDS))
def test_gradient_of_log_prob_has_mean_zero(name):
    """E[d log p(x) / d parameters] = 0 under p, whose integral is 1 at all parameters."""
    assert_mean_is(score(name, samples_of(name, "conversion", SEED)), 0.0)


def score(name, x):
    parameters = tf.constant(np.tile(CASES[name].parameters, (NUM_SAMPLES, 1)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        log_prob = CASES[name].make()(CASES[name].prepare(parameters)).log_prob(x)
    return np.asarray(tape.gradient(log_prob, parameters))  # [N, P]


def test_which_samples_are_reparameterised():
    types = {name: distribution_of(name).reparameterization_type for name in TILED}
    assert [name for name in TILED if types[name] == tfd.FULLY_REPARAMETERIZED] == REPARAMETERIZED


@pytest.mark.parametrize("name", slow_except(REPARAMETERIZED, *(set(REPARAMETERIZED) - {"beta"})))
def test_gradient_through_samples_is_that_of_log_prob(name):
    """d E[f(x)] / d parameters = E[f(x) d log p(x) / d parameters], where samples are reparameterised."""
    parameters = tf.constant(np.tile(CASES[name].parameters, (NUM_SAMPLES, 1)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        x = tf.convert_to_tensor(CASES[name].make(seed=SEED + 1)(CASES[name].prepare(parameters)))
        z = tf.reshape(x, [NUM_SAMPLES, -1])
        z -= tf.stop_gradient(tf.reduce_mean(z, axis=0))
        f = tf.tanh(tf.linalg.matvec(z, tf.constant([1.0, -0.7, 0.4])[: z.shape[-1]]) + z[:, 0] * z[:, 1])
    through_samples = np.asarray(tape.gradient(f, parameters))
    by_log_prob = (f - tf.reduce_mean(f))[:, tf.newaxis] * score(name, x.numpy())
    assert np.all(np.any(through_samples != 0.0, axis=0))
    assert_mean_is(through_samples - by_log_prob, 0.0)


@pytest.mark.parametrize("name", slow_except(CASES, *(set(KINDS) - {"beta_binomial"}), "autoregressive"))
def test_draw_and_score_together(name):
    distribution = distribution_of(name)
    x, log_prob = distribution.experimental_sample_and_log_prob(50, seed=(SEED, 3))
    np.testing.assert_allclose(log_prob, distribution.log_prob(x.numpy()), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(distribution.prob(x.numpy()), np.exp(log_prob), rtol=1e-3)

"""Rows of a table: the density of each kind of column in its own units, and what the layer measures and keeps."""

import json

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
from slow import slow_except

import tfvae
from tfvae import layers
from tfvae.layers._coercion import as_distribution
from tfvae.layers._observed import Observed
from tfvae.layers._reduced import any_over, log_sum_exp_over, sum_over
from tfvae.layers._take import take
from tfvae.layers._truncated_logistic import TruncatedLogistic
from tfvae.tables import Column, Schema

RNG = np.random.default_rng(0)
N = 400
MIN_SCALE = 0.01
# A column of each kind, with values in a unit of its own.
COLUMNS = {
    "real": (Column("income", "real"), RNG.normal(3e4, 2e4, N)),
    "positive": (Column("mass", "positive"), 1e-6 * np.exp(RNG.normal(0.0, 0.7, N))),
    "bounded": (Column("share", "bounded", low=-50.0, high=150.0), RNG.uniform(-50, 150, N)),
    "count": (Column("visits", "count"), RNG.negative_binomial(3, 0.2, N)),
    "boolean": (Column("alive", "boolean", ("no", "yes")), RNG.uniform(size=N) < 0.2),
    "category": (Column("colour", "category", ("red", "green", "blue")), RNG.choice(3, N, p=[0.6, 0.3, 0.1])),
    "ordinal": (Column("grade", "ordinal", ("a", "b", "c", "d")), RNG.choice(4, N, p=[0.1, 0.5, 0.3, 0.1])),
    "date": (Column("born", "date", origin="2020-01-01"), RNG.uniform(0, 365, N)),
}
# Further sizes: one category, and padding.
MORE = {
    "fixed": (Column("planet", "category", ("earth",)), np.zeros(N)),
    "level": (Column("level", "ordinal", ("only",)), np.zeros(N)),
    "month": (Column("month", "category", tuple("abcdefghijkl")), RNG.integers(12, size=N)),
    "five": (Column("five", "category", tuple("abcde")), RNG.integers(5, size=N)),
    "eight": (Column("eight", "ordinal", tuple("abcdefgh")), RNG.integers(8, size=N)),
}


def table(names):
    """A schema in this order, with an ignored column, and rows."""
    found = [{**COLUMNS, **MORE}[name] for name in names]
    schema = Schema([Column("id", "ignored"), *(column for column, _ in found)])
    return schema, np.stack([x for _, x in found], axis=1).astype("float32")


MIXED = ["category", "real", "eight", "fixed", "count", "month", "level", "boolean", "positive", "five", "date"]
MIXED += ["bounded", "ordinal"]
SCHEMA, X = table(MIXED)


def adapted(schema=SCHEMA, x=X, **kwargs):
    layer = layers.TableLikelihood(schema, **kwargs)
    layer.adapt(x)
    return layer


def parameters(layer, batch_size=3, scale=1.0, seed=0):
    return (scale * np.random.default_rng(seed).normal(size=(batch_size, layer.parameters_size))).astype("float32")


# ---- The density of a column


def softplus(t):
    return np.logaddexp(0.0, t)


def components(layer, raw):
    """Weights, locations and scales of the logistic components of the first column, on the standardised scale."""
    logits, means, stddevs = np.split(np.float64(layer.start), 3)
    a, m, s = np.split(raw, 3)
    stddevs_now = MIN_SCALE + (stddevs - MIN_SCALE) * softplus(s + np.log(np.expm1(1.0)))
    return scipy.special.softmax(logits + a), means + stddevs * m, stddevs_now * np.sqrt(3) / np.pi


def distribution_function(layer, raw):
    """That of a standardised value."""
    weights, locs, scales = components(layer, raw)
    low, high = float(layer.low[0]), float(layer.high[0])
    each = scipy.stats.logistic(locs, scales)
    wide = scipy.stats.logistic(0.0, np.sqrt(3) / np.pi).cdf
    share = 0.0 if layer.columns.kinds[0] == "bounded" else 1e-3

    def inside(v):
        v = np.clip(v, low, high)[..., np.newaxis]
        return ((each.cdf(v) - each.cdf(low)) / (each.cdf(high) - each.cdf(low))) @ weights

    return lambda v: (1 - share) * inside(v) + share * wide(v)


def number(layer, raw, x):
    loc, scale = float(layer.loc[0]), float(layer.scale[0])
    low, high = float(layer.low[0]), float(layer.high[0])
    weights, locs, scales = components(layer, raw)
    each, wide = scipy.stats.logistic(locs, scales), scipy.stats.logistic(0.0, np.sqrt(3) / np.pi)
    share = 0.0 if layer.columns.kinds[0] == "bounded" else 1e-3

    def log_density(x):
        v = (x - loc) / scale
        inside = (each.pdf(v[..., np.newaxis]) / (each.cdf(high) - each.cdf(low))) @ weights
        return np.log((1 - share) * np.where((v >= low) & (v <= high), inside, 0.0) + share * wide.pdf(v)) - np.log(
            scale
        )

    return log_density


def positive(layer, raw, x):
    of_log = number(layer, raw, x)
    return lambda x: of_log(np.log(x)) - np.log(x)


def count(layer, raw, x):
    loc, scale = float(layer.loc[0]), float(layer.scale[0])
    of_v = distribution_function(layer, raw)

    def log_prob(x):
        low, high = ((np.log(x + end) - loc) / scale for end in (0.5, 1.5))
        return np.log(of_v(high) - np.where(x == 0, 0.0, of_v(low)))

    return log_prob


def shares(x, number):
    counts = np.bincount(x.astype(int), minlength=number) + 0.5
    return counts / counts.sum()


def bernoulli(layer, raw, x):
    return scipy.stats.bernoulli(scipy.special.expit(raw[0] + scipy.special.logit(shares(x, 2)[1]))).logpmf


def categorical(layer, raw, x):
    log_probs = scipy.special.log_softmax(raw + np.log(shares(x, 3)))
    return lambda at: log_probs[at.astype(int)]


def ordered(layer, raw, x):
    cuts = scipy.special.logit(np.cumsum(shares(x, 4))[:-1])
    differences = softplus(raw[1:] + np.log(np.expm1(np.diff(cuts))))
    cuts = np.cumsum([cuts[0] + raw[0], *differences])
    probs = np.diff([0.0, *scipy.special.expit(cuts), 1.0])
    return lambda at: np.log(probs[at.astype(int)])


EXPECTED = {
    "real": number,
    "date": number,
    "positive": positive,
    "bounded": number,
    "count": count,
    "boolean": bernoulli,
    "category": categorical,
    "ordinal": ordered,
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_log_prob_is_that_of_the_distribution_of_the_kind(kind):
    schema, x = table([kind])
    layer = adapted(schema, x)
    raw = parameters(layer)
    expected = [EXPECTED[kind](layer, np.float64(each), np.float64(x[:, 0]))(np.float64(x[:5, 0])) for each in raw]
    found = layer(raw).log_prob(x[:5, np.newaxis])  # [5, 3]
    np.testing.assert_allclose(np.transpose(found), expected, rtol=1e-4, atol=1e-4)


def support(kind, layer):
    """Points of the support and their volumes, in the units of the data."""
    if kind in ("boolean", "category", "ordinal", "count"):
        points = np.arange(3000.0 if kind == "count" else layer.columns.num_categories[0])
        return points, np.ones_like(points)
    loc, scale = float(layer.loc[0]), float(layer.scale[0])
    if kind == "bounded":
        edges = np.linspace(-50.0, 150.0, 20_001)
    else:
        edges = loc + scale * np.linspace(-25, 25, 20_001)
        edges = np.exp(edges) if kind == "positive" else edges
    return (edges[1:] + edges[:-1]) / 2, np.diff(edges)


@pytest.mark.parametrize("kind", COLUMNS)
def test_density_integrates_to_one_in_the_units_of_the_data(kind):
    layer = adapted(*table([kind]))
    points, volumes = support(kind, layer)
    log_prob = layer(parameters(layer)).log_prob(points.astype("float32")[:, np.newaxis, np.newaxis])
    np.testing.assert_allclose(volumes @ np.exp(np.float64(log_prob)), 1.0, rtol=1e-3)


def test_columns_are_independent_and_in_order():
    layer = adapted()
    y = layer(parameters(layer))
    by_column = np.asarray(y.log_prob_by_column(X[:3]))
    assert by_column.shape == (3, len(MIXED))
    np.testing.assert_allclose(tf.reduce_sum(by_column, axis=1), y.log_prob(X[:3]), rtol=1e-5)
    for place, name in enumerate(MIXED):
        changed = X[:3].copy()
        changed[:, place] = X[::-1][:3, place]
        others = np.arange(len(MIXED)) != place
        np.testing.assert_array_equal(
            np.asarray(y.log_prob_by_column(changed))[:, others], by_column[:, others], err_msg=name
        )
    one = adapted(*table(["fixed"]))
    np.testing.assert_array_equal(one(parameters(one)).log_prob([[0.0]]), np.zeros(3))


def test_parameters_of_zero_are_the_marginal_distributions():
    layer = adapted()
    y = layer(np.zeros((1, layer.parameters_size), "float32"))
    mean = np.asarray(y.mean())[0]
    for place, name in enumerate(MIXED):
        column, x = {**COLUMNS, **MORE}[name][0], X[:, place]
        if column.kind == "category":
            assert mean[place] == np.argmax(np.bincount(x.astype(int)))
        elif column.kind in ("positive", "count"):  # a mixture is fitted to their logarithms
            assert mean[place] == pytest.approx(x.mean(dtype="float64"), rel=0.05)
        elif column.kind == "bounded":
            assert mean[place] == pytest.approx(x.mean(), abs=5.0)
        else:
            assert mean[place] == pytest.approx(x.mean(dtype="float64"), rel=0.02, abs=1e-6)


def test_samples_and_modes_are_valid_rows():
    layer = adapted()
    y = layer(parameters(layer, 50, scale=4.0))
    for rows in (y.sample(5, seed=1), y.mode()):
        rows = np.reshape(rows, (-1, len(MIXED)))
        assert np.isfinite(y.log_prob_by_column(rows[:50])).all()
        assert (rows >= layer.columns.low).all()
        assert (rows <= layer.columns.high).all()
        whole = rows[:, layer.columns.is_whole]
        np.testing.assert_array_equal(whole, np.round(whole))


@pytest.mark.slow
def test_sampled_moments():
    layer = adapted()
    raw = 0.3 * parameters(layer, 1)
    x = np.float64(layer(np.tile(raw, (20_000, 1))).sample(seed=5))
    known = layer.columns.kinds != "category"
    error = (x.mean(axis=0) - np.asarray(layer(raw).mean())[0])[known]
    assert (np.abs(error) <= 5 * x.std(axis=0)[known] / np.sqrt(len(x))).all()


# ---- Numbers at their limits


def test_what_a_kind_excludes_has_density_zero():
    excluded = {"positive": [0.0, -1.0], "bounded": [-51.0, 151.0], "count": [-1.0, 0.5], "boolean": [2.0, 0.5]}
    excluded |= {"category": [3.0, -1.0], "ordinal": [4.0, 1.5], "month": [12.0, 13.0], "eight": [8.0, -1.0]}
    places, values = zip(
        *((MIXED.index(name), value) for name, found in excluded.items() for value in [*found, np.nan]), strict=True
    )
    x = np.tile(X[:1], (len(values), 1))
    x[np.arange(len(values)), places] = values
    layer = adapted()
    raw = tf.constant(parameters(layer, len(values)))
    with tf.GradientTape() as tape:
        tape.watch(raw)
        log_prob = layer(raw).log_prob(x)
    np.testing.assert_array_equal(log_prob, np.where(np.isnan(values), np.nan, -np.inf))
    assert np.isfinite(tape.gradient(log_prob, raw)).all()


@pytest.mark.parametrize(
    ("dtype", "jit_compile"),
    slow_except([("float32", False), ("float64", False), ("float32", True), ("float64", True)], ("float32", False)),
)
def test_gradients_are_finite_for_any_parameters(dtype, jit_compile):
    layer = adapted(dtype=dtype)
    x = X[:60].copy()
    x[:20, MIXED.index("bounded")] = np.repeat([-50.0, 150.0], 10)
    x[:20, MIXED.index("count")] = 10.0 ** np.arange(20)

    def log_prob_and_gradient(raw):
        with tf.GradientTape() as tape:
            tape.watch(raw)
            y = as_distribution(layer(raw))
            log_prob = y.log_prob(tf.constant(x, raw.dtype))
        return log_prob, tape.gradient(log_prob, raw), y.mean(), y.mode()

    if jit_compile:
        log_prob_and_gradient = tf.function(log_prob_and_gradient, jit_compile=True)
    for scale in (1.0, 30.0, 1e3, 1e6):
        for values in log_prob_and_gradient(tf.constant(parameters(layer, 60, scale), dtype)):
            assert np.isfinite(values).all()
            assert values.dtype == dtype


def test_a_repeated_value_cannot_have_an_arbitrary_density():
    schema, x = table(["real", "positive", "bounded"])
    layer = adapted(schema, x, num_components=1)
    raw = np.zeros((1, 9), "float32")
    raw[:, [4, 5, 8]] = -1e6  # the scales of the real and the bounded column, and of the positive one
    y = layer(raw)
    scale = np.float64(layer.scale)
    mode = np.asarray(y.mode())[0]
    np.testing.assert_array_less(np.asarray(layer.columns.low), mode)
    peak = -np.log(MIN_SCALE * scale * np.sqrt(3) / np.pi * 4)
    expected = [peak[0], peak[1] - np.log(mode[1]), peak[2]]
    np.testing.assert_allclose(y.log_prob_by_column([mode])[0], expected, atol=2e-3)


def test_gradients_do_not_depend_on_units():
    schema, x = table(["real", "positive", "date"])
    unit = np.array([1e-3, 1e6, 24.0], "float32")
    raw = tf.constant(parameters(adapted(schema, x)))
    found = []
    for factor in (1.0, unit):
        layer = adapted(schema, x * factor)
        with tf.GradientTape() as tape:
            tape.watch(raw)
            log_prob = layer(raw).log_prob(x[:3] * factor)
        found.append((log_prob, tape.gradient(log_prob, raw)))
    np.testing.assert_allclose(found[0][0] - found[1][0], np.log(unit).sum(), rtol=1e-4)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-3, atol=1e-3)


def test_the_mean_of_a_truncated_logistic_in_any_tail():
    locs = np.array([-9.5, -0.25, 0.5, 0.57, 1.0, 15.5], "float32")
    scales = np.array([0.25, 0.11, 0.01, 0.8, 0.15, 0.47], "float32")
    y = TruncatedLogistic(locs, scales, np.float32(0.0), np.float32(1.0))
    edges = np.linspace(0, 1, 20_001)
    points = (edges[1:] + edges[:-1]) / 2
    density = np.exp(np.float64(y.log_prob(points.astype("float32")[:, np.newaxis])))  # [points, 6]
    np.testing.assert_allclose(y.mean(), points @ density / density.sum(axis=0), rtol=2e-3)
    sampled = np.float64(y.sample(20_000, seed=2))
    error = np.abs(sampled.mean(axis=0) - np.asarray(y.mean()))
    assert (error < 5 * sampled.std(axis=0) / np.sqrt(len(sampled))).all()


def test_the_mean_of_a_truncated_logistic_at_any_width():
    rng = np.random.default_rng(0)
    scales = (10.0 ** rng.uniform(-3, 4, 400)).astype("float32")
    locs = (rng.uniform(0.5, 2, 400) + rng.uniform(0, 40, 400) * scales * (rng.random(400) < 0.5)).astype("float32")
    loc, scale = np.longdouble(locs), np.longdouble(scales)
    a, b = -loc / scale, (1 - loc) / scale
    sigmoid_a, sigmoid_b = (np.exp(t - np.logaddexp(0, t)) for t in (a, b))
    integral = np.logaddexp(0, b) - np.logaddexp(0, a) - (b - a) * sigmoid_a
    expected = 1 - scale * integral / (sigmoid_b - sigmoid_a)
    precise = 1 / scale > 1e-3  # of narrower intervals, the difference cancels here too
    expected = np.where(precise, expected, 0.5)
    for mean in (
        TruncatedLogistic(locs, scales, np.float32(0), np.float32(1)).mean(),
        1 - TruncatedLogistic(1 - locs, scales, np.float32(0), np.float32(1)).mean(),
    ):
        np.testing.assert_allclose(mean, expected.astype("float64"), atol=1e-4)


def test_means_need_no_float64():
    """Which programs for phones and microcontrollers do not have."""
    layer = adapted()

    @tf.function
    def mean(parameters):
        return layer(parameters).mean()

    graph = mean.get_concrete_function(tf.TensorSpec([None, layer.parameters_size])).graph
    assert not {part.name for part in graph.get_operations() for out in part.outputs if out.dtype == tf.float64}


# ---- Statistics, files and models


def test_adapt_leaves_out_missing_values(monkeypatch):
    monkeypatch.setattr("tfvae.layers._adapted._CHUNK_SIZE", 37)
    observed = RNG.uniform(size=X.shape) < 0.6
    holes = np.where(observed, X, np.nan)
    filled = np.where(observed, X, -7.5)
    dataset = tf.data.Dataset.from_tensor_slices({"x": filled, "observed": observed}).batch(50)
    reference = adapted(x=holes)
    place = MIXED.index("positive")
    assert float(reference.loc[place]) == pytest.approx(np.nanmean(np.log(holes[:, place])), rel=1e-5)
    for data in ((filled, observed), ({"x": filled, "observed": observed},), (dataset,)):
        layer = layers.TableLikelihood(SCHEMA)
        layer.adapt(*data)
        assert not layer.trainable_variables
        for found, expected in zip(layer.weights, reference.weights, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_constant_and_missing_columns_stay_finite():
    schema, x = table(["real", "positive", "bounded", "count", "category", "ordinal", "boolean"])
    for rows in (np.tile(x[:1], (30, 1)), np.where(np.arange(7) == 0, x, np.nan)):
        layer = adapted(schema, rows)
        y = layer(parameters(layer))
        assert np.isfinite(y.log_prob(x[:3])).all()
        assert np.isfinite(y.mean()).all()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("positive", 0.0, r"'mass' must be above zero.*Received: 0\.0"),
        ("bounded", 151.0, r"'share' must be from -50\.0 to 150\.0.*Received: 151"),
        ("count", 0.5, "'visits' must be 0, 1, 2"),
        ("category", 3.0, r"'colour' must be places in the list of categories, from 0 to 2\b"),
        ("real", np.inf, "'income' must be finite"),
    ],
)
def test_adapt_names_a_value_that_the_kind_excludes(name, value, message):
    x = X.copy()
    x[7, MIXED.index(name)] = value
    with pytest.raises(ValueError, match=message):
        layers.TableLikelihood(SCHEMA).adapt(x)


def test_arguments_and_data_that_do_not_fit_are_refused():
    with pytest.raises(TypeError, match=r"must be a tfvae\.tables\.Schema"):
        layers.TableLikelihood(["height"])
    with pytest.raises(ValueError, match="At least one column"):
        layers.TableLikelihood(Schema([Column("id", "ignored")]))
    for min_scale in (0.0, 1.0):
        with pytest.raises(ValueError, match="`min_scale` must be between 0 and 1"):
            layers.TableLikelihood(SCHEMA, min_scale=min_scale)
    with pytest.raises(ValueError, match=r"13 used columns.*Received: data of shape \(400, 12\)"):
        layers.TableLikelihood(SCHEMA).adapt(X[:, 1:])
    with pytest.raises(ValueError, match="at least one example"):
        layers.TableLikelihood(SCHEMA).adapt(X[:0])


def test_columns_that_are_too_coarse_for_float32_are_named():
    schema, x = table(["real", "count"])
    x[:, 0] = 1.7e9 + 256 * (np.arange(N) % 50)
    with pytest.warns(UserWarning, match=r"1 of 2 columns \('income'\) have values so far from zero"):
        adapted(schema, x)


def test_configuration_has_the_schema_and_min_scale():
    layer = layers.TableLikelihood(SCHEMA, min_scale=0.1, seed=3)
    config = json.dumps(layer.get_config())
    again = layers.TableLikelihood.from_config(json.loads(config))
    assert again.schema == SCHEMA
    assert again.min_scale == 0.1
    assert json.dumps(again.get_config()) == config


def table_vae(**kwargs):
    encoding, likelihood = layers.TableEncoding(SCHEMA), adapted()
    encoding.adapt(X)
    encoder = keras.Sequential(
        [keras.Input((len(MIXED),)), encoding, tfvae.networks.mlp(4, (8,)), layers.MultivariateNormalDiag(2)]
    )
    decoder = keras.Sequential([keras.Input((2,)), tfvae.networks.mlp(likelihood.parameters_size, (8,)), likelihood])
    return tfvae.models.VAE(encoder, decoder, seed=0, **kwargs)


@pytest.mark.slow
def test_a_model_of_a_table_with_holes_is_trained_and_saved(tmp_path):
    holes = np.where(RNG.uniform(size=X.shape) < 0.2, np.nan, X)
    vae = table_vae(missing="nan")
    before = np.mean(vae.elbo(holes, num_samples=5, seed=1))
    vae.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    losses = vae.fit(holes, batch_size=100, epochs=3, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    after = vae.elbo(holes, num_samples=5, seed=1)
    assert np.mean(after) > before
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(loaded.elbo(holes, num_samples=5, seed=1), after)


def test_the_density_of_observed_columns_is_a_sum_over_them():
    layer = adapted()
    raw = tf.constant(parameters(layer))
    observed = RNG.uniform(size=(3, len(MIXED))) < 0.5
    with tf.GradientTape() as tape:
        tape.watch(raw)
        y = as_distribution(layer(raw))
        found = Observed(y, tf.constant(observed)).log_prob(np.where(observed, X[:3], 0.0).astype("float32"))
    expected = np.where(observed, y.log_prob_by_column(X[:3]), 0.0).sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.isfinite(tape.gradient(found, raw)).all()


def test_many_columns_are_no_more_operations_than_few():
    sizes = []
    for number in (100, 600):
        columns = [Column(f"{i}", "category", tuple("abcdefghi"[: 2 + i % 7])) for i in range(number // 2)]
        columns += [Column(f"r{i}", "real") for i in range(number // 2)]
        layer = layers.TableLikelihood(Schema(columns))
        log_prob = tf.function(lambda raw, x, layer=layer: layer.make_distribution(raw).log_prob(x))
        specs = [tf.TensorSpec([None, n], tf.float32) for n in (layer.parameters_size, number)]
        sizes.append(len(log_prob.get_concrete_function(*specs).graph.get_operations()))
    assert sizes[0] == sizes[1] < 600


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 41])
def test_reductions_by_halves(length):
    x = tf.constant(RNG.normal(size=(2, length, 3, 4)))
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = log_sum_exp_over(tf.where(tf.range(length)[:, None, None] % 3 == 1, -np.inf, x), -3)
    masked = np.where(np.arange(length)[:, None, None] % 3 == 1, -np.inf, x)
    np.testing.assert_allclose(found, scipy.special.logsumexp(masked, axis=1), rtol=1e-12)
    np.testing.assert_allclose(tape.gradient(found, x), scipy.special.softmax(masked, axis=1), rtol=1e-12)
    np.testing.assert_allclose(sum_over(x, -3), np.sum(x, axis=1), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(any_over(x > 1.0, -3), np.any(x > 1.0, axis=1))


def test_gradients_of_a_mixture_where_a_sign_changes():
    layer = adapted(*table(["real"]), dtype="float64")
    raw = np.zeros((1, layer.parameters_size))
    at = float(layer.loc[0]) + float(layer.scale[0]) * np.float64(layer.start)[3:6]  # the locations of components
    for x in at:
        with tf.GradientTape() as tape:
            given = tf.constant(raw)
            tape.watch(given)
            log_prob = as_distribution(layer(given)).log_prob(tf.constant([[x]], tf.float64))
        step = 1e-5 * np.eye(layer.parameters_size)
        ends = [np.float64(as_distribution(layer(raw + sign * step)).log_prob([[x]])) for sign in (1.0, -1.0)]
        np.testing.assert_allclose(tape.gradient(log_prob, given)[0], (ends[0] - ends[1]) / 2e-5, atol=1e-4)


def test_gradient_of_taken_values():
    x = tf.constant(np.arange(8.0).reshape(2, 4))
    places = np.array([2, 0, 4, 3, 4])  # of 1 none, and two of zero
    weights = tf.constant([1.0, 10.0, 100.0, 1000.0, 1e4], tf.float64)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            taken = take(x, places)
            value = tf.reduce_sum(weights * taken**2)
        gradient = tape.gradient(value, x)
    np.testing.assert_array_equal(taken, [[2, 0, 0, 3, 0], [6, 4, 0, 7, 0]])
    per_place = np.array([10.0, 0.0, 1.0, 1000.0])
    np.testing.assert_array_equal(gradient, 2 * x * per_place)
    np.testing.assert_array_equal(outer.gradient(gradient, x), np.tile(2 * per_place, (2, 1)))

"""Tables of real and sampled rows: distances of columns, associations, classifiers, and the likelihood of columns."""

import functools
import io

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.stats

import tfvae
from tfvae import evaluation, layers
from tfvae.evaluation import table_figures
from tfvae.evaluation.report import report_dict, report_markdown, rows
from tfvae.evaluation.table_associations import associations, correlation_ratio, cramers_v
from tfvae.evaluation.table_marginals import Cells, expected_total_variation, total_variation
from tfvae.evaluation.table_report import column_rows
from tfvae.tables import Column, Schema

RNG = np.random.default_rng(0)
COLOURS = ("red", "green", "blue")
SCHEMA = Schema(
    [
        Column("height", "real", decimals=1),
        Column("colour", "category", COLOURS),
        Column("sold", "count"),
        Column("day", "date", origin="2024-01-01", decimals=0),
        Column("size", "ordinal", ("S", "M", "L")),
    ]
)


def table(num, seed=0, slope=1.0):
    """Rows whose height depends on the colour and whose size on the height."""
    rng = np.random.default_rng(seed)
    colour = rng.choice(3, num, p=[0.5, 0.3, 0.2])
    height = np.round(170 + 10 * slope * colour + rng.normal(0, 5, num), 1)
    size = np.digitize(height + rng.normal(0, 2, num), [172, 182])
    columns = [height, colour, rng.poisson(3, num), rng.integers(0, 300, num), size]
    return np.stack(columns, axis=1).astype("float32")


def test_cells_are_quantiles_and_repeated_values():
    real = Column("x", "real")
    values = RNG.normal(size=4000)
    cells = Cells.of(real, values, 20)
    assert len(cells.atoms) == 0
    np.testing.assert_allclose(cells.shares(values), 0.05, atol=1e-3)
    values[:1000] = 0.0  # a quarter of the values
    cells = Cells.of(real, values, 20)
    assert cells.atoms.tolist() == [0.0]
    shares = cells.shares(values)
    assert shares[0] == 0.25
    np.testing.assert_allclose(shares[1:], 0.05, atol=1e-3)
    # Values that are not the repeated one, however close, are in no cell of it.
    assert Cells.of(real, values, 20).shares(np.array([1e-9, -1e-9]))[0] == 0.0
    few = Cells.of(real, np.array([1.0, 2.0, 2.0, 5.0]), 20)
    np.testing.assert_array_equal(few.shares(np.array([2.0, 3.0, 5.0, 5.0])), [0.0, 0.25, 0.5, 0.25])
    codes = Cells.of(Column("c", "category", COLOURS), np.array([0.0, 0.0]), 20)
    np.testing.assert_array_equal(codes.shares(np.array([2.0, 0.0]))[:3], [0.5, 0.0, 0.5])


def test_the_distance_by_chance_is_that_of_two_random_tables():
    p = np.array([0.5, 0.2, 0.2, 0.06, 0.04])
    draws = [(RNG.multinomial(300, p) / 300, RNG.multinomial(100, p) / 100) for _ in range(2000)]
    found = np.mean([total_variation(*pair) for pair in draws])
    assert found == pytest.approx(expected_total_variation(p, 300, 100), rel=0.05)
    assert total_variation(np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5])) == 0.5


def test_associations_of_each_kind_of_pair():
    x = table(3000)
    x[:50, 0] = np.nan
    found = associations(x.astype("float64"), SCHEMA.used)
    seen = ~np.isnan(x[:, 0])
    assert found[0, 4] == pytest.approx(scipy.stats.spearmanr(x[seen, 0], x[seen, 4]).statistic)
    ranks = scipy.stats.rankdata(x[seen, 0])
    means = pd.Series(ranks).groupby(x[seen, 1]).transform("mean")
    assert found[0, 1] == pytest.approx(means.std() / ranks.std(), abs=2e-3)
    counts = pd.crosstab(x[:, 1], x[:, 4])
    two = (Column("a", "category", COLOURS), Column("b", "category", COLOURS))
    v = associations(x[:, [1, 4]].astype("float64"), two)[0, 1]
    assert v == pytest.approx(scipy.stats.contingency.association(counts), abs=2e-3)
    np.testing.assert_array_equal(found, found.T)


def test_associations_have_no_bias_in_small_tables():
    codes, other, numbers = (RNG.integers(0, 8, (500, 40)), RNG.integers(0, 8, (500, 40)), RNG.normal(size=(500, 40)))
    of_codes = np.square([cramers_v(a, b) for a, b in zip(codes, other, strict=True)])
    of_numbers = np.square([correlation_ratio(a, b) for a, b in zip(codes, numbers, strict=True)])
    assert of_codes.mean() < 0.03  # without the correction about (r - 1) / N = 0.18
    assert of_numbers.mean() < 0.07  # and (K - 1) / (N - 1) = 0.18; squares below zero are cut off
    assert cramers_v(codes[0], codes[0]) == pytest.approx(1.0, abs=1e-6)
    assert np.isnan(associations(np.array([[1.0, 2.0]] * 5), SCHEMA.used[:2])).all()


def test_equal_distributions_are_no_further_apart_than_by_chance():
    real, same = table(2000), table(2000, seed=1)
    found = evaluation.compare_tables(real, same, SCHEMA)
    assert (found.total_variation < 1.6 * found.expected_total_variation).all()
    assert found.association_error < 0.03
    assert evaluation.compare_tables(real, real, SCHEMA).mean_total_variation == 0.0
    other = same.copy()
    other[:, 0] += 6.0
    other[:, 1] = RNG.permutation(other[:, 1])
    worse = evaluation.compare_tables(real, other, SCHEMA)
    assert worse.total_variation[0] > 0.2
    assert np.abs(worse.real_associations - worse.sampled_associations)[0, 1] > 0.5
    assert worse.association_error > 3 * found.association_error
    report = worse.to_dict()
    assert report["columns"]["height"]["total_variation"] == worse.total_variation[0]
    assert (report["num_real"], report["num_sampled"]) == (2000, 2000)


def test_tables_are_compared_as_they_are_written():
    """Decimals of samples are those of the column, and missing values are left out."""
    real = table(500)
    sampled = real + np.float32([0.02, 0, 0, 0.3, 0])
    sampled[:, 0] = np.where(np.arange(500) < 100, np.nan, sampled[:, 0])
    assert evaluation.compare_tables(real, sampled, SCHEMA).total_variation[3] == 0.0
    frame = tfvae.tables.to_frame(real, SCHEMA)
    assert evaluation.compare_tables(frame, frame, SCHEMA).mean_total_variation == 0.0
    halves = real[:, :1].copy()
    halves[::2] = np.nan
    lone = Schema(SCHEMA.used[:1])
    assert evaluation.compare_tables(halves, real[1::2, :1], lone).total_variation[0] == 0.0
    empty = evaluation.compare_tables(np.full((5, 1), np.nan, "float32"), real[:, :1], lone)
    assert empty.to_dict()["columns"]["height"]["total_variation"] is None
    with pytest.raises(ValueError, match=r"`real` must have at least one row"):
        evaluation.compare_tables(real[:0], real, SCHEMA)


def test_a_prediction_learned_from_good_samples_is_as_good_as_from_real_rows():
    real, good, test = table(400), table(400, seed=1), table(300, seed=2)
    bad = good.copy()
    bad[:, 4] = np.random.default_rng(0).permutation(bad[:, 4])
    found = evaluation.train_on_synthetic(real, good, test, SCHEMA, target="size")
    assert (found.target, found.predicts_classes) == ("size", True)
    most = np.bincount(real[:, 4].astype(int)).argmax()
    assert found.constant.accuracy == pytest.approx((test[:, 4] == most).mean())
    assert found.trained_on_real.accuracy > found.constant.accuracy + 0.2
    assert found.trained_on_sampled.accuracy == pytest.approx(found.trained_on_real.accuracy, abs=0.07)
    assert found.tested_on_sampled.accuracy == pytest.approx(found.trained_on_real.accuracy, abs=0.07)
    worse = evaluation.train_on_synthetic(real, bad, test, SCHEMA, target="size")
    assert worse.trained_on_real == found.trained_on_real
    assert max(worse.trained_on_sampled.accuracy, worse.tested_on_sampled.accuracy) < found.constant.accuracy + 0.1


def test_what_is_predicted():
    few = {"real": table(60), "sampled": table(60, seed=1), "test": table(60, seed=2)}
    few["real"][3, 1] = np.nan
    by_default = evaluation.train_on_synthetic(**few, schema=SCHEMA)
    assert (by_default.target, by_default.num_real) == ("colour", 59)  # not the ordinal column
    many = Schema([*SCHEMA.used[:1], Column("colour", "category", tuple(map(str, range(30)))), *SCHEMA.used[2:4]])
    by_default = evaluation.train_on_synthetic(**{name: rows[:, :4] for name, rows in few.items()}, schema=many)
    assert (by_default.target, by_default.predicts_classes) == ("day", False)  # not one of 30 categories
    number = evaluation.train_on_synthetic(**few, schema=SCHEMA, target="height")
    assert number.trained_on_real.r2 > 0.3 > number.constant.r2
    assert set(number.trained_on_real.to_dict()) == {"r2"}
    classes = [rows[:, 1] for rows in few.values()]
    apart = {name: rows[:, [0, 2]] for name, rows in few.items()}
    schema = Schema([SCHEMA.used[0], SCHEMA.used[2]])
    found = evaluation.train_on_synthetic(**apart, schema=schema, target="hue", classes=np.nan_to_num(classes, nan=-1))
    assert (found.target, found.num_real) == ("hue", 59)
    assert found.trained_on_real.accuracy > 0.6
    with pytest.raises(ValueError, match=r"`target` must be one of.*Received: target='weight'"):
        evaluation.train_on_synthetic(**few, schema=SCHEMA, target="weight")
    few["sampled"][:, 1] = 1.0
    with pytest.raises(ValueError, match="`sampled` with one value of 'colour' only"):
        evaluation.train_on_synthetic(**few, schema=SCHEMA)


def test_only_other_distributions_can_be_told_apart():
    real = table(400)
    real[::3, 0] = np.nan  # samples have no missing values, which must not give them away
    same = evaluation.tell_apart(real, table(400, seed=1), SCHEMA)
    assert abs(same.auroc - 0.5) < 4 * same.standard_error
    assert same.standard_error == pytest.approx(0.02, abs=0.002)  # sqrt((2N + 1) / (12 N^2)) if they are alike
    other = evaluation.tell_apart(real, table(400, seed=1, slope=-1.0), SCHEMA)
    assert other.auroc > 0.8


@functools.cache
def model_of_table():
    x = table(300)
    x[::7, 0] = x[3::11, 1] = np.nan
    keras.utils.set_random_seed(1)
    encoding, likelihood = layers.TableEncoding(SCHEMA), layers.TableLikelihood(SCHEMA)
    encoding.adapt(x)
    likelihood.adapt(x)
    posterior = layers.MultivariateNormalDiag(2)
    encoder = keras.Sequential([keras.Input((5,)), encoding, keras.layers.Dense(4), posterior])
    size = layers.TableLikelihood.params_size(SCHEMA)
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(size), likelihood])
    return tfvae.models.VAE(encoder, decoder, missing="nan", seed=0), x


def test_columns_add_up_to_the_elbo():
    vae, x = model_of_table()
    test = x[:130]
    independent = evaluation.independent_log_likelihood_by_column(x, test, SCHEMA)
    found = evaluation.log_likelihood_by_column(vae, test, SCHEMA, independent=independent, num_samples=3)
    elbo = evaluation.elbo(vae, test, num_samples=3)
    np.testing.assert_array_equal(np.isnan(found.per_example), np.isnan(test))
    sums = np.nansum(found.per_example, axis=1)
    np.testing.assert_allclose(sums - elbo.details["kl"], elbo.per_example, rtol=1e-5)
    baseline = evaluation.independent_columns_log_likelihood(x, test, SCHEMA)
    np.testing.assert_allclose(np.nansum(independent, axis=1, dtype="float64"), baseline.per_example)
    numbers = found.to_dict()
    height = found.per_example[~np.isnan(test[:, 0]), 0]
    assert numbers["height"]["num_observed"] == len(height)
    assert numbers["height"]["log_likelihood"] == pytest.approx(height.mean())
    assert numbers["height"]["log_likelihood_standard_error"] == pytest.approx(
        height.std(ddof=1) / np.sqrt(len(height))
    )
    # Each counts with the share of rows that have a value.
    shares = found.num_observed / len(test)
    assert (found.mean * shares).sum() == pytest.approx(elbo.diagnostics["log_likelihood"], rel=1e-5)


def test_figures_of_tables():
    real = table(300)
    real[:, 4] = 1.0  # constant
    found = evaluation.compare_tables(real, table(200, seed=1), SCHEMA)
    marginals = table_figures.marginals(found)
    titles = [axes.get_title() for axes in marginals.axes]
    assert titles[0] == f"size   TV {found.total_variation[4]:.3f}"  # the worst is the first
    assert sum(title.startswith("height") for title in titles) == 1
    table_figures.association_matrices(found)
    many = [Column(f"$c{i}", "real") for i in range(30)]
    x = RNG.normal(size=(20, 30)).astype("float32")
    wide = evaluation.compare_tables(x, x, Schema(many))
    assert "the 24 of 30 that differ most" in table_figures.marginals(wide)._suptitle.get_text()
    marginals.savefig(io.BytesIO(), dpi=20)


def test_reports_have_a_section_on_columns():
    unknown = functools.partial(evaluation.Record.unknown, unit="nats", num_examples=3)
    elbo = unknown("elbo", num_samples=2, log_likelihood=None, kl=None)
    log_marginal = unknown("log_marginal", num_importance_samples=10, num_above_threshold=None)
    columns = {
        "a|b": {"kind": "real", "log_likelihood": -1.5, "gain": 0.25, "total_variation": 0.125},
        "c": {"kind": "count", "log_likelihood": None, "gain": None, "total_variation": 0.5},
    }
    scores = {name: {"accuracy": 0.5} for name in ("trained_on_real", "tested_on_sampled", "constant")}
    prediction = {"target": "c", "predicts_classes": True, "num_real": 9, "num_sampled": 9, "num_test": 9, **scores}
    comparison = {"mean_total_variation": 0.3125, "association_error": None, "num_real": 9, "num_sampled": 9}
    about = {
        "title": "t", "num_parameters": 1, "epochs": 1, "training_seconds": 1.0, "split": "t/test", "note": "n",
        "columns": columns, "table_comparison": comparison,
        "prediction": {**prediction, "trained_on_sampled": {"accuracy": 0.75}},
        "tell_apart": {"auroc": 0.625, "standard_error": 0.02, "num_rows": 9},
        "choices": [{"name": "columns", "value": "2 real\n    a\n    b", "option": "--columns"}],
    }  # fmt: skip
    report = report_dict(elbo, log_marginal, evaluation.Record.unknown("bits_per_dim", "bits", 3), about)
    main = {name.strip(): value for name, value, *_ in rows(report)}
    assert main["total variation of columns"] == "0.312"
    assert main["sampled or real rows, AUROC"] == "0.625 ± 0.020"
    assert main["accuracy for c, sampled rows"] == "0.750"
    assert not any("bits" in name for name in main)  # columns have different units
    text = report_markdown(report, [])
    assert "| a\\|b | real | -1.500 |  | 0.250 |  | 0.125 |  |\n| c | count |  |  |  |  | 0.500 |  |" in text
    assert "| sampled rows, tested on held-out rows | 0.750 |" in text
    assert "AUROC of 0.625 ± 0.020" in text
    assert "| columns | 2 real | --columns |\n\n```text\na\nb\n```" in text
    assert [row[0] for row in column_rows(report, 1)] == ["c"]  # differs most

"""Columns that identify rows and that weigh them: read apart, kept through cuts, and weights used as by Keras."""

import numpy as np
import pandas as pd
import pytest
from gaussian_vaes import exact_vae
from linear_gaussian import make_linear_gaussian

from tfvae.data import DataError, Split, load, load_examples
from tfvae.training import RunConfig
from tfvae.training.load_data import load_data, load_other_data
from tfvae.training.resolve import resolve


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """The number of a patient is 1000 more than the row, and the weight twice the row, of which the mean is 59."""
    path = tmp_path_factory.mktemp("clinic") / "clinic.csv"
    rng = np.random.default_rng(0)
    rows = np.arange(60)
    frame = pd.DataFrame({"patient": rows + 1000, "height": rng.normal(170, 9, 60).round(1), "share": rows * 2})
    frame.to_csv(path, index=False)
    return path


def test_ids_and_weights_are_no_part_of_a_row_and_follow_it(clinic):
    splits = load(clinic, id="patient", weight="share", columns={"height": "real"})
    assert [column.name for column in splits.schema.used] == ["height"]
    heights = pd.read_csv(clinic)["height"].to_numpy("float32")
    for split in splits.all.values():
        rows = split.ids.astype(int) - 1000
        np.testing.assert_array_equal(split.raw[:, 0], heights[rows])
        np.testing.assert_allclose(split.weight, rows / 29.5, rtol=1e-6)
    some = splits.train.rows(np.array([3, 1]))
    np.testing.assert_array_equal(some.ids, splits.train.ids[[3, 1]])
    np.testing.assert_array_equal(some.weight, splits.train.weight[[3, 1]])


def test_a_run_reads_other_tables_with_their_ids(clinic, tmp_path):
    given = RunConfig.from_dict({"data": {"name": str(clinic), "id": "patient", "weight": "share"}})
    config = resolve(given, load_data(given))
    assert config.data.columns["patient"]["reason"] == "given apart from the rows"
    other = tmp_path / "other.csv"
    pd.DataFrame({"height": [170.0, 180.0], "patient": ["a", "b"], "ward": [4, 5]}).to_csv(other, index=False)
    found = load_other_data(config, str(other), "test")
    assert (list(found.ids), found.weight) == (["a", "b"], None)
    assert list(load_other_data(config, str(other), "test", id="ward").ids) == ["4", "5"]
    other.write_text("height\n170\n180\n")
    assert load_other_data(config, str(other), "test").ids is None


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (["1", "-2", "1"], r"at least 0 in each row.*'-2' in row 1"),
        (["1", "", "1"], r"no empty cells.*in row 1"),
        (["1", "1", "much"], r"'much' in row 2"),
        (["0", "0", "0"], "no row with a weight above 0"),
    ],
)
def test_weights_that_cannot_be_used(tmp_path, weights, message):
    path = tmp_path / "own.csv"
    rows = "".join(f"{i}.5,{weight}\n" for i, weight in enumerate(weights))
    path.write_text("x,w\n" + rows)
    with pytest.raises(DataError, match=message):
        load(path, weight="w", columns={"x": "real"})


def test_columns_that_do_not_exist(clinic, tmp_path):
    for given in ({"id": "nobody"}, {"weight": "nobody"}):
        with pytest.raises(DataError, match="no column 'nobody'"):
            load(clinic, **given)
    np.save(tmp_path / "own.npy", np.ones((4, 2), "float32"))
    with pytest.raises(DataError, match="are for tables"):
        load(tmp_path / "own.npy", weight="w")
    with pytest.raises(DataError, match="shape \\(3,\\)"):
        Split(np.ones((3, 2), "float32"), ids=np.arange(2))
    with pytest.raises(DataError, match="-1"):
        Split(np.ones((3, 2), "float32"), weight=np.array([1.0, -1.0, 1.0]))


def test_values_that_do_not_fit_may_be_missing(clinic, tmp_path):
    columns = load(clinic, id="patient", weight="share").schema
    path = tmp_path / "odd.csv"
    path.write_text("height\ntall\n170\n")
    given = {column.name: {"kind": column.kind} for column in columns if column.kind != "ignored"}
    found = load_examples(path, columns=given, misfits="missing")
    np.testing.assert_array_equal(found.observed, [[False], [True]])


def test_batches_have_the_weights_that_keras_takes():
    model = make_linear_gaussian()
    x = model.data(90).astype("float32")
    weight = np.arange(90) % 3
    split = Split(x, weight=weight)
    (*_, last) = split.batches(40)
    np.testing.assert_array_equal(last[2], weight[80:])
    assert np.isnan(last[1]).all()
    vae = exact_vae(model)
    vae.compile("adam", jit_compile=False)
    found = vae.evaluate(split.batches(90), verbose=0, return_dict=True)
    elbos = model.log_marginal(x)
    noise = 4 * elbos.std() / np.sqrt(90)  # of one draw of z per example, with room
    assert found["elbo"] == pytest.approx(np.average(elbos, weights=weight), abs=noise)
    assert found["loss"] == pytest.approx(-np.mean(elbos * weight), abs=noise)
    kl = model.kl(model.posterior_mean(x), model.posterior_covariance)
    assert found["kl"] == pytest.approx(np.average(kl, weights=weight), rel=1e-4)
    before = vae.get_weights()
    vae.fit(split.rows(weight == 0).batches(10), epochs=1, verbose=0)
    for old, new in zip(before, vae.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)  # rows without weight teach nothing

"""Tables as the data of a run: columns in its configuration, other tables by name, samples and imputed tables."""

import dataclasses
import math
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_models import without_xla

from tfvae.cli.commands import draws, tables
from tfvae.data import DataError, load, load_examples
from tfvae.evaluation import Imputation
from tfvae.layers import TableEncoding, TableLikelihood
from tfvae.tables import to_rows
from tfvae.training import RunConfig
from tfvae.training.build import build_vae
from tfvae.training.choices import choices
from tfvae.training.load_data import load_data, load_other_data
from tfvae.training.resolve import resolve
from tfvae.training.run_folder import RunFolder

NUM_ROWS = 300


def rows_of_shop(num_rows=NUM_ROWS, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.choice(["S", "M", "L"], num_rows)
    price = np.round(rng.lognormal(3.0, 0.3, num_rows) * np.where(size == "L", 2.0, 1.0), 2)
    return pd.DataFrame(
        {
            "item": [f"item {i}" for i in range(num_rows)],
            "size": size,
            "price": price,
            "sold": rng.poisson(4.0, num_rows) * rng.integers(1, 9, num_rows),
            "sale": rng.choice(["yes", "no"], num_rows),
            "shop": rng.choice(["north", "south"], num_rows),
        }
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A table with holes, as a file."""
    frame = rows_of_shop()
    frame.loc[5:20, "size"] = None
    frame.loc[30:40, "price"] = np.nan
    path = tmp_path_factory.mktemp("shop") / "shop.csv"
    frame.to_csv(path, index=False)
    return path


def config_of(path, **data):
    tables = {"data": {"name": str(path), **data}, "model": {"hidden": [8], "latent_size": 2}}
    given = RunConfig.from_dict({**tables, "training": {"epochs": 2, "batch_size": 50}})
    splits = load_data(given)
    return resolve(given, splits), splits


def run_of(path, folder, **data):
    """Writes a run folder with an untrained model."""
    config, splits = config_of(path, **data)
    with without_xla():
        vae = build_vae(config, splits)
    run = RunFolder(folder)
    run.claim(config.to_toml())
    vae.save(run.model)
    return config


def test_the_configuration_of_a_run_has_all_columns(shop):
    config, splits = config_of(shop)
    assert config.model.likelihood_kind == "table"
    kinds = {name: column["kind"] for name, column in config.data.columns.items()}
    assert kinds == {
        "item": "ignored", "size": "category", "price": "positive", "sold": "count", "sale": "boolean",
        "shop": "category",
    }  # fmt: skip
    assert (splits.event_shape, splits.train.has_missing, len(splits.train)) == ((5,), True, 240)
    again = RunConfig.from_dict(tomllib.loads(config.to_toml()))
    assert again == config
    assert load_data(again).schema == dataclasses.replace(splits.schema, missing=())
    said = {choice.name: choice.value for choice in choices(config, splits)}
    assert said["data"].startswith("240 train + 30 validation + 30 test rows of 5 columns, ")
    assert said["data"].endswith("% of the values missing")
    assert "positive" in said["columns"]
    assert "price" in said["columns"]


def test_settings_for_tables(shop):
    given = RunConfig.from_dict({"data": {"name": str(shop)}})
    assert (given.model.hidden, given.model.latent_size, given.training.epochs) == ((64,), 16, 0)
    splits = load_data(given)
    training = resolve(given, splits).training
    assert (training.batch_size, training.epochs) == (32, 300)
    given = RunConfig.from_dict({"data": {"name": str(shop)}, "training": {"batch_size": 1}})
    training = resolve(given, splits).training
    assert (training.batch_size, training.epochs) == (1, math.ceil(8_000 / 240))


def test_kinds_and_labels_that_the_user_gives(shop):
    config, splits = config_of(shop, columns={"price": "real"}, label="shop", condition="label")
    assert config.data.columns["price"]["kind"] == "real"
    assert config.data.columns["shop"]["reason"] == "given apart from the rows"
    assert config.data.classes == ("north", "south")
    assert splits.train.condition.shape == (240, 2)
    assert "shop" not in [column.name for column in splits.schema.used]


def test_conditions_are_columns(shop):
    assert load(shop, condition="shop").train.condition_names == ("north", "south")
    number = load(shop, condition="sold").train
    assert number.condition.shape == (240, 1)
    assert number.condition_names is None
    with pytest.raises(DataError, match="no column 'colour'"):
        load(shop, condition="colour")
    with pytest.raises(DataError, match="without a value of the condition 'price'"):
        load(shop, condition="price")


def test_the_model_takes_raw_rows(shop):
    config, splits = config_of(shop)
    with without_xla():
        vae = build_vae(config, splits)
        kinds = {type(layer) for layer in vae._flatten_layers()}
        assert {TableEncoding, TableLikelihood} <= kinds
        x = np.where(splits.test.observed, splits.test.raw, np.nan)
        start = vae.elbo(x, seed=0).numpy()
    # The model starts at about the marginal distribution of each column.
    assert np.isfinite(start).all()
    assert start.mean() > -20.0


def test_other_tables_are_read_with_the_columns_of_the_run(shop, tmp_path):
    config, splits = config_of(shop)
    other = rows_of_shop(5, seed=1)[["shop", "price", "sale", "sold", "size"]]  # another order, one column less
    other.to_csv(tmp_path / "other.csv", index=False)
    found = load_other_data(config, str(tmp_path / "other.csv"), "test")
    np.testing.assert_array_equal(found.raw, to_rows(other, splits.schema)[0])
    other["size"] = "XL"
    other.to_csv(tmp_path / "unknown.csv", index=False)
    with pytest.raises(DataError, match=r"column 'size' does not fit.*'XL' in row 0"):
        load_other_data(config, str(tmp_path / "unknown.csv"), "test")
    other.drop(columns="price").to_csv(tmp_path / "lacks.csv", index=False)
    with pytest.raises(DataError, match=r"lacks 1 of 5 columns.*'price'"):
        load_other_data(config, str(tmp_path / "lacks.csv"), "test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,4\n", "too few to cut off"),
        ("a,b\n" + "1,1\n" * 9, "no column that can be used. Expected at least one column whose values differ"),
        ("a b\n" + "".join(f"x y{i}\n" for i in range(9)), "Its lines have no separator"),
    ],
    ids=["two_rows", "constant", "one_column"],
)
def test_tables_that_cannot_be_trained_on(tmp_path, text, message):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        load(path)


def test_columns_are_for_tables(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((20, 3), np.float32))
    with pytest.raises(DataError, match="for tables"):
        load(tmp_path / "x.npy", label="a")
    with pytest.raises(DataError, match="There is no file"):
        load(tmp_path / "nothing.csv")


def test_samples_are_rows_of_the_table(shop, tmp_path):
    config, splits = config_of(shop, condition="shop")
    sold = splits.schema["sold"]
    x = splits.test.raw[:9] + np.float32(1e-4) * (splits.schema.used[1].kind == "positive") * np.eye(4)[1]
    tables.write_samples(tmp_path / "rows.csv", x, config, splits.schema, 1)
    rows, table = pd.read_csv(tmp_path / "rows.csv"), pd.read_csv(shop)
    assert list(rows.columns) == ["size", "price", "sold", "sale", "shop"]
    assert set(rows["shop"]) == {"south"}
    assert set(rows["size"]) <= set(table["size"].dropna())
    assert rows["sold"].dtype == "int64"
    tables.write_samples(tmp_path / "far.csv", np.where(np.arange(4) == 2, 1e6, x), config, splits.schema, 1)
    assert set(pd.read_csv(tmp_path / "far.csv")["sold"]) == {sold.high}
    np.testing.assert_array_equal(rows["price"], rows["price"].round(2))
    tables.write_samples(tmp_path / "rows.parquet", x, config, splits.schema, 0)
    assert set(pd.read_parquet(tmp_path / "rows.parquet")["shop"]) == {"north"}


def test_imputed_tables_keep_every_other_cell(shop, tmp_path):
    config, _ = config_of(shop)
    split = load_examples(shop, columns=config.data.columns)
    given = [name for name in pd.read_csv(shop).columns if name != "item"]
    size, price = given.index("size"), given.index("price")
    draws_of_rows = np.stack([np.where(split.observed, split.raw, 0.0)] * 3)
    draws_of_rows[1:, :, size] = np.where(split.observed[:, size], draws_of_rows[1:, :, size], 2.0)
    mean = draws_of_rows[0].copy()
    mean[~split.observed[:, price], price] = 12.345
    mean[~split.observed[:, size], size] = 0.5  # no category
    parts = iter([Imputation(mean, draws_of_rows, np.ones(len(mean)), split.observed, 1)])
    tables.write_imputed(tmp_path / "filled.csv", shop, parts, split.schema, num_draws=2)
    before, after = (pd.read_csv(path, dtype=str, keep_default_na=False) for path in (shop, tmp_path / "filled.csv"))
    was_missing = before == ""
    assert was_missing.sum().sum() == 27
    assert list(after.columns) == list(before.columns)
    pd.testing.assert_frame_equal(after.mask(was_missing), before.mask(was_missing))
    assert set(after.loc[was_missing["size"], "size"]) == {"S"}  # L, M, S: the most frequent of the draws
    assert {float(price) for price in after.loc[was_missing["price"], "price"]} <= {12.34, 12.35}
    first = pd.read_csv(tmp_path / "filled-1.csv", dtype=str)
    assert set(first.loc[was_missing["size"], "size"]) == {"L"}
    assert (tmp_path / "filled-2.csv").exists()
    assert not (tmp_path / "filled-3.csv").exists()


def test_a_table_without_empty_cells_has_nothing_to_impute(tmp_path, monkeypatch):
    pd.DataFrame({"a": [1.5, 2.5, 4.0], "b": None}).to_csv(tmp_path / "full.csv", index=False)
    monkeypatch.setattr(draws, "load_run", lambda _: None)
    monkeypatch.setattr(draws, "examples_of", lambda *_: load_examples(tmp_path / "full.csv"))
    with pytest.raises(ValueError, match=r"full.csv has no empty cell in a column of the model.*nothing to impute"):
        draws.impute(Path("run"), "full.csv", "test", "", {}, 0, tmp_path / "filled.csv")


@pytest.mark.slow
def test_marks_of_missing_values_are_imputed_too(tmp_path):
    frame = rows_of_shop()
    frame.loc[5:20, "size"] = "unclear"
    frame.to_csv(tmp_path / "shop.csv", index=False)
    run_of(tmp_path / "shop.csv", tmp_path / "run", missing="unclear")
    with without_xla():
        counts = {"num_samples": 0, "num_importance_samples": 20}
        given = tmp_path / "run", str(tmp_path / "shop.csv"), "test", "unclear", counts
        draws.impute(*given, seed=0, output=tmp_path / "filled.csv")
    assert set(pd.read_csv(tmp_path / "filled.csv")["size"]) == {"S", "M", "L"}


@pytest.mark.slow
def test_a_run_samples_and_imputes(shop, tmp_path):
    config = run_of(shop, tmp_path / "run")
    with without_xla():
        draws.sample(tmp_path / "run", 50, None, None, seed=0, output=tmp_path / "rows.csv")
        counts = {"num_samples": 2, "num_importance_samples": 20}
        draws.impute(tmp_path / "run", str(shop), "test", "", counts, seed=0, output=tmp_path / "filled.csv")
    rows = pd.read_csv(tmp_path / "rows.csv")
    assert list(rows.columns) == ["size", "price", "sold", "sale", "shop"]
    assert (rows["price"] > 0).all()
    found = load_examples(tmp_path / "filled-2.csv", columns=config.data.columns)
    assert found.observed is None
    assert len(found) == NUM_ROWS

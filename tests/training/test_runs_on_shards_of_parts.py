"""Runs on shards that have conditions, masks and the columns of a table."""

import numpy as np
import pytest

from tfvae.data import DataError, load, shard
from tfvae.training import RunConfig, build_vae
from tfvae.training.choices import choices
from tfvae.training.load_data import load_data, load_other_data
from tfvae.training.resolve import resolve
from tfvae.training.run_data import RunData


@pytest.fixture
def table(tmp_path):
    draw = np.random.default_rng(0)
    lines = [f"{'' if i % 9 == 0 else draw.normal():},{'ab'[i % 2]},{draw.normal()}" for i in range(100)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["number,kind,other", *lines]))
    return path


def of(data, **settings):
    config = RunConfig.from_dict(
        {
            "data": {"name": str(data), **settings},
            "model": {"hidden": (8,), "latent_size": 2},
            "training": {"epochs": 1},
        }
    )
    splits = load_data(config)
    return resolve(config, splits), splits


def test_a_table_in_shards_gets_the_model_of_the_table(table, tmp_path):
    folder = shard(table, tmp_path / "shards")
    config, splits = of(folder)
    expected, _ = of(table)
    assert config.model == expected.model
    assert config.data.columns == expected.data.columns
    shown = {each.name: each.value for each in choices(config, splits)}
    assert shown["columns"].startswith("2 real, 1 category")
    vae = build_vae(config, splits)
    assert vae.missing == "nan"
    batch = next(iter(RunData(config, splits).batches()))
    assert set(batch) == {"x", "observed"}
    assert np.isfinite(vae.train_step(batch)["elbo"])
    assert load_other_data(config, str(table), "test").raw.shape == (100, 3)


def test_a_condition_in_shards_is_that_of_the_run(table, tmp_path):
    folder = shard(table, tmp_path / "shards", condition="kind")
    config, splits = of(folder, condition="kind")
    assert config.data.classes == ("a", "b")
    vae = build_vae(config, splits)
    batches = RunData(config, splits).batches()
    assert np.isfinite(vae.train_step(next(iter(batches)))["elbo"])
    again = next(iter(RunData(config, splits).batches()))
    np.testing.assert_array_equal(again["condition"], next(iter(RunData(config, splits).batches()))["condition"])
    assert load_other_data(config, str(folder), "test").condition_names == ("a", "b")
    assert load_other_data(config, str(table), "test").condition.shape == (100, 2)
    with pytest.raises(DataError, match=r"Write the shards again.*--condition other"):
        of(folder, condition="other")
    plain, without = of(folder)
    assert (plain.data.classes, without.train.condition_shape) == ((), None)


def test_shards_with_other_classes_are_refused(table, tmp_path):
    config, _ = of(table, condition="kind")
    other = tmp_path / "other.csv"
    other.write_text(table.read_text().replace(",b,", ",c,"))
    folder = shard(other, tmp_path / "shards", condition="kind")
    with pytest.raises(DataError, match=r"other classes.*Expected a, b.*Received: a, c"):
        load_other_data(config, str(folder), "train")
    assert load(folder, condition="kind").train.condition_names == ("a", "c")

"""What a run decides from its data: likelihood, noise, standardisation, epochs, and the words for it."""

import numpy as np
import pytest

from tfvae.data import load, write_shards
from tfvae.data.splits import make_splits
from tfvae.training import RunConfig
from tfvae.training.choices import choices
from tfvae.training.resolve import resolve

RNG = np.random.default_rng(0)
UNIT = RNG.uniform(size=(40, 6, 5))
LEVELS = RNG.integers(0, 256, (40, 6, 5)).astype("uint8")


def splits_of(x):
    return make_splits("own", {"train": x}, {}, "own.npy")


def resolved(x, **tables):
    return resolve(RunConfig.from_dict({"data": {"name": "own.npy"}}, tables), splits_of(x))


CASES = {
    "table": (RNG.normal(size=(40, 3)), "normal", "none", "on"),
    "table in [0, 1]": (UNIT[:, 0], "normal", "none", "on"),
    "series": (RNG.normal(size=(40, 6, 5)), "normal", "none", "on"),
    "series in [0, 1]": (UNIT, "normal", "none", "on"),
    "gray floats with their channel": (UNIT[..., None], "bernoulli", "dynamic", "off"),
    "colour floats": (UNIT[..., None].repeat(3, axis=-1), "normal", "none", "off"),
    "floats of 5 bands": (UNIT[..., None].repeat(5, axis=-1), "normal", "none", "on"),
    "volumes": (UNIT[..., None].repeat(7, axis=-1), "normal", "none", "on"),
    "8-bit gray images": (LEVELS, "bernoulli", "dynamic", "off"),
    "8-bit colour images": (LEVELS[..., None].repeat(3, axis=-1), "normal", "none", "off"),
    "8-bit table": (LEVELS[:, 0], "normal", "none", "on"),
    "zeros and ones": (UNIT[:, 0] > 0.5, "bernoulli", "none", "off"),
    "float zeros and ones": (np.round(UNIT), "bernoulli", "none", "off"),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_data_gets_its_model(name):
    x, likelihood, binarize, standardize = CASES[name]
    config = resolved(x)
    assert config.model.likelihood == likelihood
    assert config.data.binarize == binarize
    assert config.model.standardize == standardize
    assert "auto" not in config.to_toml()


def test_shards_remember_whether_they_are_images(tmp_path):
    for name, x, likelihood in (("series", UNIT, "normal"), ("images", UNIT[..., None], "bernoulli")):
        folder = write_shards(np.float32(x), tmp_path / name)
        assert (
            resolve(RunConfig.from_dict({"data": {"name": str(folder)}}), load(folder)).model.likelihood == likelihood
        )


def test_what_is_asked_for_is_done():
    config = resolved(UNIT, model={"likelihood": "bernoulli"}, data={"binarize": "static"})
    assert (config.model.likelihood, config.data.binarize, config.model.standardize) == ("bernoulli", "static", "off")
    assert resolved(UNIT, model={"standardize": "off"}).model.standardize == "off"
    assert resolved(LEVELS, model={"standardize": "on", "likelihood": "normal"}).model.standardize == "on"
    assert resolved(UNIT, training={"epochs": 7}).training.epochs == 7


@pytest.mark.parametrize(
    ("x", "tables", "message"),
    [
        (
            RNG.normal(size=(9, 3)),
            {"data": {"binarize": "static"}},
            "the likelihood of own is normal.*Received: data.binarize='static'",
        ),
        (UNIT, {"data": {"binarize": "dynamic"}}, "--likelihood bernoulli"),
        (LEVELS, {"data": {"binarize": "threshold"}, "model": {"likelihood": "normal"}}, "binarize='threshold'"),
        (LEVELS, {"model": {"standardize": "on"}}, "Received: model.standardize='on'"),
        (3 * UNIT, {"model": {"likelihood": "bernoulli"}}, r"values in \[0, 1\].*own/train with values"),
    ],
)
def test_what_cannot_be_done_is_refused(x, tables, message):
    with pytest.raises(ValueError, match=message):
        resolved(x, **tables)


def test_a_presets_binarization_gives_way_to_a_normal_likelihood():
    assert RunConfig.from_dict({"model": {"likelihood": "normal"}}).data.binarize == "auto"
    assert RunConfig.from_dict().data.binarize == "threshold"


@pytest.mark.parametrize(("num_examples", "epochs"), [(30, 100), (2000, 50), (50_000, 10)])
def test_few_examples_are_seen_more_often(num_examples, epochs):
    assert resolved(np.zeros((num_examples, 2)) + 0.3).training.epochs == epochs


def test_named_data_have_ten_epochs():
    assert RunConfig.from_dict({"data": {"name": "mnist"}}).training.epochs == 10


def test_own_data_with_a_validation_split_keep_the_best_model():
    x = RNG.normal(size=(9, 2))
    for arrays, select in (({"train": x, "validation": x}, "best"), ({"train": x, "test": x}, "last")):
        splits = make_splits("own", arrays, {}, "own.npy")
        for tables, expected in (({}, select), ({"training": {"select": "last"}}, "last")):
            config = resolve(RunConfig.from_dict({"data": {"name": "own.npy"}}, tables), splits)
            assert config.training.select == expected
    assert RunConfig.from_dict().training.select == "last"


def said(x, **tables):
    return {choice.name: choice for choice in choices(resolved(x, **tables), splits_of(x))}


def test_everything_decided_is_said_with_the_option_that_changes_it():
    found = said(UNIT)
    assert found["data"].value == "40 train examples of shape (6, 5, 1), floats from {:g} to {:g}".format(
        *np.float32([UNIT.min(), UNIT.max()])
    )
    assert "series" in found["likelihood"].value
    assert "--likelihood bernoulli" in found["likelihood"].option
    assert "standardised" in found["values"].value
    assert found["values"].option == "--standardize off"
    assert found["training"].value == "100 epochs of 1 step, the last model is kept"  # without a validation split
    assert said(LEVELS // 16)["data"].value.endswith("256 levels, largest value 15")
    images = said(LEVELS)
    assert "sampled as 0 or 1" in images["values"].value
    assert "--binarize" in images["values"].option
    assert "the width of one level" in said(LEVELS, model={"likelihood": "normal"})["values"].value
    assert "conv, 32, 64 filters" in said(LEVELS, model={"network": "conv"})["network"].value
    assert said(np.round(UNIT))["values"].value == "unchanged"

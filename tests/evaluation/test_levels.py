"""Bits per dimension of floats that are levels, under a density and under a likelihood of levels."""

import warnings

import keras
import numpy as np
import pytest

import tfvae
from tfvae import evaluation, layers
from tfvae.evaluation.report import rows
from tfvae.tables import Column, Schema

LEVELS = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 3))
FLOATS = {
    "k/255": LEVELS / 255,
    "2k/255 - 1": LEVELS / 127.5 - 1,
    "whole numbers": LEVELS,
    "of each channel": (LEVELS / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
}


def made(likelihood):
    encoder = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4), layers.MultivariateNormalDiag(2)])
    decoder = keras.Sequential([keras.layers.Dense(likelihood.parameters_size), likelihood])
    vae = tfvae.models.VAE(encoder, decoder)
    vae.build((None, 4, 4, 3))
    return vae


@pytest.fixture(scope="module")
def normal():
    return made(layers.IndependentNormal((4, 4, 3)))


@pytest.mark.parametrize("name", list(FLOATS))
def test_a_density_of_levels_is_labelled(normal, name):
    record = evaluation.elbo(normal, FLOATS[name].astype("float32"))
    with pytest.warns(UserWarning, match="256 equally spaced values.* of a density.*uint8 levels and dequantise"):
        bits = evaluation.bits_per_dim(record, 48)
    assert bits.to_dict()["density_of_levels"] == 256
    assert bits.mean == pytest.approx(-record.mean / (48 * np.log(2)))


@pytest.mark.parametrize(
    ("likelihood", "x"),
    [
        pytest.param(None, (LEVELS + np.random.default_rng(1).random(LEVELS.shape)) / 256, id="dequantised"),
        pytest.param(layers.DiscretizedLogistic((4, 4, 3)), LEVELS / 255, id="discretised"),
        pytest.param(layers.IndependentPoisson((4, 4, 3)), LEVELS, id="counts", marks=pytest.mark.slow),
        pytest.param(layers.IndependentBernoulli((4, 4, 3)), LEVELS > 127, id="binary", marks=pytest.mark.slow),
    ],
)
def test_other_bits_are_not(normal, likelihood, x):
    record = evaluation.elbo(normal if likelihood is None else made(likelihood), x.astype("float32"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "density_of_levels" not in evaluation.bits_per_dim(record, 48).diagnostics


def test_rows_of_a_table_are_not():
    schema = Schema([Column("price", "positive"), Column("size", "category", ("S", "M", "L"))])
    likelihood, x = layers.TableLikelihood(schema), np.stack([LEVELS.ravel() + 1, LEVELS.ravel() % 3], axis=1)
    encoder = keras.Sequential([keras.layers.Dense(4), layers.MultivariateNormalDiag(2)])
    decoder = keras.Sequential([keras.layers.Dense(likelihood.parameters_size), likelihood])
    vae = tfvae.models.VAE(encoder, decoder)
    vae.build((None, 2))
    assert "density_of_levels" not in evaluation.elbo(vae, x.astype("float32")).diagnostics


@pytest.mark.filterwarnings("ignore:log_marginal is unreliable")
def test_log_marginal_and_the_report_say_so(normal):
    record = evaluation.log_marginal(normal, FLOATS["k/255"].astype("float32"), num_importance_samples=30)
    with pytest.warns(UserWarning, match="of a density"):
        bits = evaluation.bits_per_dim(record, 48, num_levels=256)
    elbo = {**record.to_dict(), "log_likelihood": 0.0, "kl": 0.0}
    report = {"elbo": elbo, "log_marginal": record.to_dict(), "bits_per_dim": bits.to_dict(), "split": "x/test"}
    assert "bits per dimension, of a density" in [name for name, *_ in rows(report)]

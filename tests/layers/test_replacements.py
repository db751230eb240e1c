"""Names of `tfp.layers` that tfvae does not have say what takes their place."""

import pytest
import tensorflow_probability as tfp

from tfvae import layers

ABSENT = sorted(name for name in dir(tfp.layers) if not name.startswith("_") and name not in dir(layers))


def test_most_names_are_there():
    assert {"DistributionLambda", "VariableLayer", "IndependentNormal"}.isdisjoint(ABSENT)
    assert "DenseVariational" in ABSENT


@pytest.mark.parametrize("name", ABSENT)
def test_absent_names_of_tfp_say_what_to_use(name):
    with pytest.raises(AttributeError, match=rf"'{name}': .*(tfvae\.|keras\.|tfp\.)"):
        getattr(layers, name)
    assert not hasattr(layers, name)


@pytest.mark.parametrize(("name", "near"), [("IndependantNormal", "IndependentNormal"), ("klregularizer", "KL")])
def test_mistyped_names_get_the_nearest(name, near):
    with pytest.raises(AttributeError, match=f"Did you mean '{near}"):
        getattr(layers, name)


def test_other_names():
    with pytest.raises(AttributeError, match=r"has no attribute 'qqq'\.$"):
        layers.qqq  # noqa: B018

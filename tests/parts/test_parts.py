"""Parts by name: which classes have one, and what their arguments are held to."""

import pytest

from tfvae import callbacks, estimators, layers, networks, priors
from tfvae.parts import FAMILIES, kinds, part_of
from tfvae.parts.building import arguments_of, build, constructor, parameters_of, resolved
from tfvae.parts.listing import documentation, families, setting_of, signature, summary

# Public classes and functions that no file can name, and why.
WITHOUT_NAME = {
    "AutoregressiveTransform": "a layer after another; the posterior autoregressive_flow contains it",
    "BlockwiseInitializer": "an initializer",
    "DistributionLambda": "takes a function",
    "DistributionLayer": "a base class",
    "Joint": "takes layers with names, and z becomes a dictionary",
    "KLDivergenceAddLoss": "for functional Keras models; a VAE adds the KL itself",
    "KLDivergenceRegularizer": "for functional Keras models; a VAE adds the KL itself",
    "MixtureSameFamily": "takes a layer; mixture_normal and mixture_logistic are the usual ones",
    "Standardization": "model.standardize",
    "Standardized": "model.standardize",
    "VariableLayer": "has no input",
    "VariationalGaussianProcess": "takes a kernel",
    "VariationalWeights": "takes a network",
    "Fixed": "takes a distribution",
    "Prior": "a base class",
    "AveragedELBO": "a result",
    "Draws": "a result",
    "ELBOTerms": "a result",
    "Estimate": "a result",
    "ImportanceEstimate": "a result",
    "Problem": "what an estimator receives",
    "Estimator": "a protocol",
    "EstimatorWithLayers": "a protocol",
    "EstimatorWithUpdate": "a protocol",
    "KLWeighting": "a protocol",
    "KLPenalty": "what a weighting returns",
    "averaged_elbo": "a function",
    "draw": "a function",
    "elbo_terms": "a function",
    "importance_estimate": "a function",
    "kl_by_part": "a function",
    "BetaSchedule": "made for a schedule of beta",
    "NonFiniteLossError": "an error",
    "Schedule": "a protocol",
    "StopOnNonFinite": "part of every run",
    "VAETensorBoard": "part of every run",
    "GatedDense": "a layer of gated_mlp",
    "ResidualBlock": "a layer of resnet and residual_mlp",
    "AutoregressiveNetwork": "within the prior flow and the posterior autoregressive_flow",
}
TABLES = [value for name, value in vars(kinds).items() if name.isupper()]
NAMED = {path for table in TABLES for path in table.values()}
EVERY = [(setting, kind) for setting, family in FAMILIES.items() for kind in family.kinds]


def test_every_public_class_has_a_name_or_a_reason():
    named = {constructor(path) for path in NAMED}
    for package in (layers, priors, estimators, callbacks, networks):
        for name in package.__all__:
            has_name = getattr(package, name) in named
            assert has_name != (name in WITHOUT_NAME), f"{package.__name__}.{name}"
    print("\n".join(f"{name}: {why}" for name, why in WITHOUT_NAME.items()))


@pytest.mark.parametrize(("setting", "kind"), EVERY, ids=lambda value: str(value))
def test_each_part_is_documented_with_its_arguments(setting, kind):
    given = FAMILIES[setting].given
    assert len(summary(setting, kind)) > 10
    for name in arguments_of(setting, kind):
        assert name in signature(setting, kind)
        assert name not in given
    assert documentation(setting, kind).startswith(summary(setting, kind)[:10])


def test_defaults_are_written_out():
    assert resolved("flow", "model.prior") == {
        "kind": "flow",
        "num_transforms": 4,
        "hidden_units": [64, 64],
        "activation": "tanh",
    }
    assert resolved("mlp", "model.network") == "mlp", "its arguments are settings of their own"
    assert resolved({"kind": "dreg", "num_importance_samples": 50}, "training.estimator") == {
        "kind": "dreg",
        "num_importance_samples": 50,
    }
    assert resolved("adam", "training.optimizer")["beta_2"] == 0.999


@pytest.mark.parametrize(
    ("value", "setting", "message"),
    [
        ({"kind": "vamp", "num_component": 5}, "model.prior", "model.prior.num_component is not .*'num_components'"),
        ("vamp", "model.prior", "model.prior needs num_components, as in .*kind = 'vamp'"),
        ({"kind": "dreg", "k": 5}, "training.estimator", "Its arguments: num_importance_samples, num_samples, chunk"),
        ({"kind": "adamw", "learnin_rate": 1}, "training.optimizer", "Did you mean 'learning_rate'"),
        ({"num_components": 5}, "model.prior", "model.prior needs a `kind`"),
        (["vamp"], "model.prior", "model.prior must be one of"),
    ],
)
def test_bad_arguments_name_the_setting(value, setting, message):
    with pytest.raises(ValueError, match=message):
        resolved(value, setting)


def test_what_a_constructor_refuses_names_the_setting():
    with pytest.raises(ValueError, match=r"model\.prior cannot be made: .*num_components"):
        build({"kind": "mixture", "num_components": 0}, "model.prior", latent_size=2)
    with pytest.raises(ValueError, match=r"training\.estimator cannot be made"):
        build({"kind": "renyi", "alpha": "much"}, "training.estimator")


def test_parts_within_parts():
    made = build({"kind": "score_function", "baseline": {"kind": "running_mean", "decay": 0.5}}, "training.estimator")
    assert made.baseline.decay == 0.5
    with pytest.raises(ValueError, match=r"training\.estimator\.baseline must be one of running_mean"):
        build({"kind": "score_function", "baseline": "mean"}, "training.estimator")


def test_families_have_short_names():
    assert setting_of("prior") == "model.prior"
    assert len(families()) == len(FAMILIES)
    with pytest.raises(ValueError, match="Did you mean 'prior'"):
        setting_of("priors")
    with pytest.raises(ValueError, match=r"no prior 'vmap'.*Did you mean 'vamp'"):
        documentation("model.prior", "vmap")


def test_kinds_are_the_constructors_they_name():
    for table in TABLES:
        for kind, path in table.items():
            assert callable(constructor(path)), kind
    assert part_of("tril", "model.posterior") == ("tril", {})
    assert "event_size" in parameters_of(constructor(kinds.LAYERS["tril"]))

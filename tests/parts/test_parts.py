"""Parts by name: which classes have one, and what their arguments are held to."""

import math

import pytest

from tfvae import callbacks, estimators, flows, layers, networks, priors
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
    "LogCounts": "part of every model of rows of counts",
    "MixtureSameFamily": "takes a layer; mixture_normal and mixture_logistic are the usual ones",
    "Standardization": "model.standardize",
    "Standardized": "model.standardize",
    "layers.StickBreaking": "begins the decoder of a run whose posterior are sticks",
    "TableEncoding": "takes a schema",
    "VariableLayer": "has no input",
    "VariationalGaussianProcess": "takes a kernel",
    "VariationalWeights": "takes a network",
    "Categorical": "made for model.label_prior",
    "Conditional": "takes a network; the prior conditional makes it",
    "Fixed": "takes a distribution",
    "Prior": "a base class",
    "AveragedELBO": "a result",
    "Draws": "a result",
    "ELBOTerms": "a result",
    "Estimate": "a result",
    "ImportanceEstimate": "a result",
    "PartlyObserved": "takes labels that are numbers, and runs have classes",
    "Problem": "what an estimator receives",
    "Estimator": "a protocol",
    "EstimatorOfLabels": "a protocol",
    "EstimatorWithBuild": "a protocol",
    "EstimatorWithLayers": "a protocol",
    "EstimatorWithProposal": "a protocol",
    "EstimatorWithUpdate": "a protocol",
    "KLWeighting": "a protocol",
    "KLPenalty": "what a weighting returns",
    "Weighted": "a term of a result",
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
    "Flow": "the prior flow",
    "Reverse": "the run alternates the order of transforms",
    "NormalizingFlow": "takes transforms; the posterior flow",
    "Transform": "a base class",
    "GatedDense": "a layer of gated_mlp",
    "Gyroplane": "a layer of gyroplane_mlp",
    "MobiusDense": "for networks of your own",
    "PoincareLogMap": "begins the decoder of a run whose latents are points of the Poincare ball",
    "ResidualBlock": "a layer of resnet and residual_mlp",
    "AutoregressiveNetwork": "within the prior flow and the posterior autoregressive_flow",
}
COSINE = {"kind": "cosine_decay", "initial_learning_rate": 0.1, "decay_steps": 10}
TABLES = [value for name, value in vars(kinds).items() if name.isupper()]
NAMED = {path for table in TABLES for path in table.values()}
EVERY = [(setting, kind) for setting, family in FAMILIES.items() for kind in family.kinds]


def test_every_public_class_has_a_name_or_a_reason():
    named = {constructor(path) for path in NAMED}
    for package in (flows, layers, priors, estimators, callbacks, networks):
        for name in package.__all__:
            has_name = getattr(package, name) in named
            full_name = f"{package.__name__.removeprefix('tfvae.')}.{name}"
            assert has_name != bool({name, full_name} & set(WITHOUT_NAME)), full_name
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
        ({"kind": "vamp", "num_components": "many"}, "model.prior", "prior.num_components must be an integer of at le"),
        ({"kind": "diag_plus_low_rank", "rank": [2]}, "model.posterior", "posterior.rank must be an integer of at lea"),
        ({"kind": "diag_plus_low_rank", "rank": True}, "model.posterior", "posterior.rank must be an integer of at l"),
        ({"kind": "flow", "hidden_units": 64}, "model.prior", "prior.hidden_units must be a list, each an integer"),
        ({"kind": "flow", "hidden_units": ["a"]}, "model.prior", "prior.hidden_units must be a list, each an integer"),
        ({"kind": "flow", "activation": "relux"}, "model.prior", "prior.activation must be one of .*'relu'"),
        ({"kind": "flow", "transform": "planer"}, "model.prior", "prior.transform must be one of .*'planar'"),
        ({"kind": "flow", "transform": {"kind": "sylvester", "num_vectors": 0}}, "model.posterior", "num_vectors must"),
        ({"kind": "flow", "transform": {"kind": "radial", "m": 0}}, "model.posterior", "posterior.transform.m is not"),
        ({"kind": "resnet", "normalization": 3}, "model.network", "network.normalization must be text"),
        ({"kind": "generic", "distribution_class": 3}, "model.likelihood", "distribution_class must be text"),
        ({"kind": "generic", "distribution_class": "Beta", "fixed": 3}, "model.likelihood", "fixed must be a table"),
        ({"kind": "renyi", "alpha": math.nan}, "training.estimator", "training.estimator.alpha must be a number"),
        ({"kind": "reweighted_wake_sleep", "encoder_phase": "day"}, "training.estimator", "one of wake, sleep, both"),
        ({"kind": "score_function", "baseline": {"kind": "running_mean", "deca": 1}}, "training.estimator", "'decay'"),
        ({"kind": "constant", "value": [1]}, "training.beta", "training.beta.value must be a number"),
        ({"kind": "linear_warm_up", "num_epochs": "a"}, "training.beta", "training.beta.num_epochs must be a number"),
        ({"kind": "adam", "beta_1": 1.0}, "training.optimizer", "optimizer.beta_1 must be a .* at least 0 and below 1"),
        ({"kind": "adam", "beta_1": "a"}, "training.optimizer", "training.optimizer.beta_1 must be a finite number"),
        ({"kind": "adam", "epsilon": math.nan}, "training.optimizer", "training.optimizer.epsilon must be a finite"),
        ({"kind": "adam", "clipnorm": -1}, "training.optimizer", "optimizer.clipnorm must be a finite number, above 0"),
        ({"kind": "adam", "amsgrad": [1]}, "training.optimizer", "training.optimizer.amsgrad must be true or false"),
        ({"kind": "adam", "gradient_accumulation_steps": 1}, "training.optimizer", "must be an integer of at least 2"),
        ({**COSINE, "initial_learning_rate": "a"}, "training.learning_rate", "initial_learning_rate must be a finite"),
        ({**COSINE, "initial_learning_rate": -1}, "training.learning_rate", "initial_learning_rate must be .* least 0"),
        ({**COSINE, "decay_steps": "ten"}, "training.learning_rate", "decay_steps must be an integer of at least 1"),
        (
            {"kind": "piecewise_constant_decay", "boundaries": 3, "values": [1]},
            "training.learning_rate",
            "learning_rate.boundaries must be a list, each a number",
        ),
        ({"kind": "early_stopping", "patience": -1}, "training.callbacks", "patience must be an integer of at least 0"),
        ({"kind": "early_stopping", "monitor": "val_elob"}, "training.callbacks", "Did you mean 'val_elbo'"),
        ({"kind": "early_stopping", "mode": "auto"}, "training.callbacks", "callbacks.mode must be one of min, max"),
        ({"kind": "early_stopping", "min_delta": "a"}, "training.callbacks", "callbacks.min_delta must be a finite"),
        ({"kind": "reduce_lr_on_plateau", "factor": 2.0}, "training.callbacks", "factor must be .*above 0 and below 1"),
    ],
)
def test_bad_arguments_name_the_setting(value, setting, message):
    with pytest.raises(ValueError, match=message):
        resolved(value, setting)


def test_what_a_constructor_refuses_names_the_setting():
    with pytest.raises(ValueError, match=r"^model\.prior\.num_components must be .*model\.prior\.num_components=0$"):
        build({"kind": "mixture", "num_components": 0}, "model.prior", latent_size=2)
    with pytest.raises(ValueError, match=r"^training\.optimizer\.ema_momentum must .*optimizer\.ema_momentum=3$"):
        build({"kind": "adam", "use_ema": True, "ema_momentum": 3}, "training.optimizer")
    with pytest.raises(ValueError, match=r"^training\.optimizer cannot be made: Only one of"):
        build({"kind": "adam", "clipnorm": 1.0, "clipvalue": 1.0}, "training.optimizer")


def test_parts_within_parts():
    made = build({"kind": "score_function", "baseline": {"kind": "running_mean", "decay": 0.5}}, "training.estimator")
    assert made.baseline.decay == 0.5
    with pytest.raises(ValueError, match=r"training\.estimator\.baseline must be one of running_mean"):
        build({"kind": "score_function", "baseline": "mean"}, "training.estimator")


def test_families_have_short_names():
    assert setting_of("prior") == "model.prior"
    assert setting_of("transform") == "model.posterior.transform"
    assert setting_of("prior.transform") == "model.prior.transform"
    assert len(families()) == len(FAMILIES)
    with pytest.raises(ValueError, match="Did you mean 'prior'"):
        setting_of("priors")
    with pytest.raises(ValueError, match=r"no prior 'vmap'.*Did you mean 'vamp'"):
        documentation("model.prior", "vmap")


def test_shared_settings_are_arguments_of_their_kinds():
    for setting, family in FAMILIES.items():
        for name, having in family.shared.items():
            assert [kind for kind in family.kinds if name in arguments_of(setting, kind)] == sorted(
                having, key=list(family.kinds).index
            )


def test_values_of_the_right_type_are_accepted():
    for value, setting in (
        ({"kind": "flow", "hidden_units": [8], "activation": "relu"}, "model.prior"),
        ({"kind": "renyi", "alpha": -math.inf}, "training.estimator"),
        ({"kind": "linear_warm_up", "num_epochs": 1}, "training.beta"),
        ({"kind": "early_stopping", "min_delta": 0.5, "patience": 0, "baseline": -90}, "training.callbacks"),
        ({"kind": "piecewise_constant_decay", "boundaries": [5], "values": [1, 0.5]}, "training.learning_rate"),
        ({"kind": "generic", "distribution_class": "StudentT", "fixed": {"df": 3.0}}, "model.likelihood"),
    ):
        assert value.items() <= resolved(value, setting).items()


def test_kinds_are_the_constructors_they_name():
    for table in TABLES:
        for kind, path in table.items():
            assert callable(constructor(path)), kind
    assert part_of("tril", "model.posterior") == ("tril", {})
    assert "event_size" in parameters_of(constructor(kinds.LAYERS["tril"]))

"""A configuration with every choice made for the data."""

import dataclasses
from pathlib import Path
from typing import Any

from tfvae._errors import quoted
from tfvae._targets import expanded
from tfvae.data import Splits, known_names
from tfvae.parts import FAMILIES, is_own_code, is_part, kinds, part_of
from tfvae.parts.building import arguments_of, resolved
from tfvae.tables.files import schema_to_dict
from tfvae.training.check_ball import check_ball
from tfvae.training.check_labels import check_labels
from tfvae.training.check_parts import check_parts
from tfvae.training.check_prior import check_prior
from tfvae.training.choices import (
    choose_batch_size,
    choose_binarize,
    choose_epochs,
    choose_likelihood,
    choose_select,
    choose_standardize,
)
from tfvae.training.config import RunConfig
from tfvae.training.latent_space import GYROPLANE, ball_curvature, is_bounded
from tfvae.training.likelihoods import GRAY_VALUES, has_sizes
from tfvae.training.settings import ModelConfig, TrainingConfig
from tfvae.training.spatial_axes import MAX_AXES, num_spatial_axes

# Activations of the hidden layers, for "auto".
_ACTIVATIONS = {"gated_mlp": "linear", "mlp": "tanh", "residual_mlp": "swish", "resnet": "swish"}


# The estimator of M2. With a tenth of labelled examples in a batch, log q(y|x) weighs as much as the rest of the loss.
_ENUMERATED = {"kind": "enumerated", "classification_weight": 100.0}

# Posteriors whose draws are not reparameterised, and estimators that need no such draws.
_NOT_REPARAMETERISED = ("mixture_logistic", "mixture_normal")
_OF_ANY_POSTERIOR = ("reweighted_wake_sleep", "score_function", "vimco", "wake_sleep")


def resolve(config: RunConfig, splits: Splits) -> RunConfig:
    """Returns the configuration with every "auto" replaced by a choice for the data.

    Raises:
        ValueError: If the data do not fit the configuration.
    """
    batch_size = choose_batch_size(config, splits)
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, batch_size=batch_size))
    model, data, training = config.model, config.data, config.training
    check_parts(config)
    check_labels(config)
    config = _with_estimator_of_labels(config)
    training = config.training
    _check_sizes(model, splits)
    _check_condition(model, splits)
    check_prior(model)
    check_ball(config, splits)
    _check_estimator(model, training)
    config = dataclasses.replace(config, model=dataclasses.replace(model, likelihood=choose_likelihood(config, splits)))
    likelihood = config.model.likelihood_kind
    name = data.name
    path = Path(name) if name in known_names() else expanded(name)
    if name not in known_names() and path.exists():
        name = str(path.resolve())  # the run can be evaluated from any folder
    return dataclasses.replace(
        config,
        data=dataclasses.replace(
            data,
            name=name,
            binarize=choose_binarize(config, splits, likelihood),
            classes=_classes(config, splits),
            columns=data.columns if splits.schema is None else schema_to_dict(splits.schema)["columns"],
        ),
        model=dataclasses.replace(
            config.model,
            network=_resolved_network(model, splits),
            posterior=resolved(model.posterior, "model.posterior"),
            likelihood=resolved(_with_levels(config.model.likelihood, splits), "model.likelihood"),
            prior=resolved(model.prior, "model.prior"),
            activation=_ACTIVATIONS.get(model.network_kind, "relu") if model.activation == "auto" else model.activation,
            standardize=choose_standardize(config, splits, likelihood),
        ),
        training=dataclasses.replace(
            training,
            optimizer=resolved(training.optimizer, "training.optimizer"),
            learning_rate=_resolved(training.learning_rate, "training.learning_rate"),
            estimator=resolved(training.estimator, "training.estimator"),
            kl=_choose_kl(config),
            beta=_resolved(training.beta, "training.beta"),
            callbacks=tuple(_callback(each) for each in training.callbacks),
            epochs=choose_epochs(config, splits),
            select=choose_select(config, splits),
        ),
    )


def _classes(config: RunConfig, splits: Splits) -> tuple[str, ...]:
    """Returns the names of the classes of the condition, or of the labels of a model of them."""
    train = splits.train
    names = train.class_names if config.model.kind == "m2" else train.condition_names
    return names or ()


def _resolved_network(model: ModelConfig, splits: Splits) -> Any:
    """Returns the network with its defaults. Code of the user's own is not imported, and has none."""
    kind, event_shape = model.network_kind, splits.event_shape
    if is_own_code(kind):
        return model.network
    if kind in kinds.OF_ANY_SHAPE:
        return resolved(model.network, "model.network")
    if splits.schema is not None or len(event_shape) > MAX_AXES + 1:
        what = "the rows of a table" if splits.schema is not None else f"examples of shape {event_shape}"
        fitting = [name for name in kinds.OF_ANY_SHAPE if name != GYROPLANE or ball_curvature(model) is not None]
        raise ValueError(
            f"model.network must be one of {', '.join(fitting)} for {what}: {kind} "
            "requires 1 to 3 spatial axes and channels, such as (height, width, channels). "
            f"Received: model.network={quoted(model.network)}"
        )
    found = resolved(model.network, "model.network")
    expected, most = num_spatial_axes(splits.train), min(len(event_shape), MAX_AXES)
    num_axes = part_of(found, "model.network")[1].get("num_axes", expected)
    if not 1 <= num_axes <= most:
        raise ValueError(
            f"model.network.num_axes must be an integer from 1 to {most} for examples of shape {event_shape}, whose "
            f"other axes are channels. Received: model.network.num_axes={num_axes}"
        )
    if num_axes == len(event_shape) - 1:
        return found
    return {"kind": kind, **part_of(found, "model.network")[1], "num_axes": num_axes}


def _with_levels(likelihood: Any, splits: Splits) -> Any:
    """Returns a likelihood of gray values with the number of levels of the data."""
    kind, arguments = part_of(likelihood, "model.likelihood")
    if kind not in GRAY_VALUES:
        return likelihood
    return {"kind": kind, "num_bins": splits.train.num_levels, **arguments}


def _callback(value: Any) -> Any:
    """Returns a callback with the direction of what it monitors, which Keras knows for losses only."""
    kind, arguments = part_of(value, "training.callbacks")
    monitor = str(arguments.get("monitor", "val_elbo"))
    mode = "max" if monitor.removeprefix("val_") in ("elbo", "log_likelihood") else "min"
    return resolved({"kind": kind, "monitor": monitor, "mode": mode, **arguments}, "training.callbacks")


def _resolved(value: Any, setting: str) -> Any:
    """Returns a number, or a part with its defaults."""
    return resolved(value, setting) if is_part(value) else value


def _with_estimator_of_labels(config: RunConfig) -> RunConfig:
    """Returns the configuration with the estimator that M2 needs, if it has the default one.

    Raises:
        ValueError: If the estimator does not fit the kind of model.
    """
    training = config.training
    kind, _ = part_of(training.estimator, "training.estimator")
    if (kind == "enumerated") == (config.model.kind == "m2"):
        return config
    if kind != TrainingConfig.estimator:
        raise ValueError(
            'training.estimator must be enumerated with model.kind = "m2", and only with it. '
            f"Received: training.estimator={kind!r} with model.kind={config.model.kind!r}"
        )
    return dataclasses.replace(config, training=dataclasses.replace(training, estimator=_ENUMERATED))


def _check_sizes(model: ModelConfig, splits: Splits) -> None:
    """Raises ValueError if the model cannot get the sizes of rows of counts."""
    if not has_sizes(splits):
        return
    if model.kind == "m2":
        raise ValueError(
            'model.kind must be "vae" for rows of sparse counts, which come with their sizes; labels can be a '
            "condition: data.condition = \"label\". Received: model.kind='m2'"
        )
    if part_of(model.prior, "model.prior")[0] == "conditional":
        raise ValueError(
            "model.prior must be another than conditional for rows of sparse counts, on whose sizes it would depend. "
            f"Received: model.prior={quoted(model.prior)}"
        )


def _check_condition(model: ModelConfig, splits: Splits) -> None:
    """Raises ValueError if there is no part that gets the condition, or no condition for a part."""
    prior, _ = part_of(model.prior, "model.prior")
    shape = splits.train.condition_shape
    if shape is None:
        if prior == "conditional":
            raise ValueError(
                'model.prior = "conditional" needs a condition, such as data.condition = "label". '
                "Received: data without a condition"
            )
        return
    is_given = shape != (1,) or not has_sizes(splits)
    if is_given and not model.conditioned and prior != "conditional":
        raise ValueError(
            'model.conditioned must name a network that gets the condition, "encoder" or "decoder", unless model.prior '
            'is "conditional". Received: model.conditioned=[]'
        )
    if is_given and prior == "vamp" and "encoder" in model.conditioned:
        raise ValueError(
            "model.prior must be another than vamp if the encoder gets a condition, which its pseudo-inputs lack. "
            "Received: model.prior='vamp'"
        )
    if is_own_code(model.network_kind):
        raise ValueError(
            f"A network of your own cannot be given the condition by tfvae train, because only you know how it takes "
            f"it. Build the model in Python (docs/conditional.md). Received: model.network={quoted(model.network)}"
        )


def _check_estimator(model: ModelConfig, training: TrainingConfig) -> None:
    """Raises ValueError if the estimator does not fit the posterior, or the number of draws has no effect on it."""
    kind, _ = part_of(training.estimator, "training.estimator")
    posterior, _ = part_of(model.posterior, "model.posterior")
    if posterior in _NOT_REPARAMETERISED and kind not in _OF_ANY_POSTERIOR:
        raise ValueError(
            f"training.estimator must be {', '.join(_OF_ANY_POSTERIOR)} with the posterior {posterior}: its draws are "
            f"not reparameterised. Received: training.estimator={kind!r}"
        )
    if kind == "hamiltonian" and is_bounded(posterior):
        raise ValueError(
            f"training.estimator must be another than hamiltonian with the posterior {posterior}: steps along a "
            "gradient leave its space. Received: training.estimator='hamiltonian'"
        )
    if is_part(training.beta) and part_of(training.beta, "training.beta")[0] in kinds.WEIGHTINGS:
        fitting = [each for each in FAMILIES["training.estimator"].shared["kl"] if each == "sgvb" or _is_closed(model)]
        if kind not in fitting:
            raise ValueError(
                f"training.beta must be a number or a schedule with the estimator {kind}, whose loss has no separate "
                f"KL term. Weightings of the KL need {' or '.join(fitting)}. "
                f"Received: training.beta={quoted(training.beta)}"
            )
    known = arguments_of("training.estimator", kind)
    if "num_samples" not in known and training.num_samples != TrainingConfig.num_samples:
        raise ValueError(
            f"training.num_samples has no effect: the estimator {kind} has no argument num_samples. Its arguments: "
            f"{', '.join(known) or 'none'}. Received: training.num_samples={training.num_samples}"
        )


def _choose_kl(config: RunConfig) -> str:
    """Chooses how the KL is computed. By default it is analytic for pairs of posterior and prior with a closed form.

    Raises:
        ValueError: If it shall be analytic and has no closed form.
    """
    kl, model = config.training.kl, config.model
    is_closed = _is_closed(model)
    if kl == "analytic" and not is_closed:
        raise ValueError(
            "training.kl must be auto or monte_carlo with this posterior and prior, whose KL has no closed form. "
            f"Received: training.kl='analytic' with model.posterior={quoted(model.posterior)} and "
            f"model.prior={quoted(model.prior)}"
        )
    return kl if kl != "auto" else "analytic" if is_closed else "monte_carlo"


def _is_closed(model: ModelConfig) -> bool:
    """Whether the KL of posterior and prior has a closed form."""
    posterior, _ = part_of(model.posterior, "model.posterior")
    prior, _ = part_of(model.prior, "model.prior")
    are_normal = posterior in ("diag", "diag_plus_low_rank", "tril") and prior in ("normal", "standard_normal")
    return are_normal or prior in ("spherical_uniform", "stick_breaking")

"""A commented file of settings for data."""

import textwrap

from tfvae.data import Splits
from tfvae.parts import FAMILIES, kinds, part_of
from tfvae.parts.written import written
from tfvae.training.choices import choices
from tfvae.training.config import RunConfig
from tfvae.training.latent_space import GYROPLANE, ball_curvature, fitting_priors
from tfvae.training.likelihoods import fitting
from tfvae.training.resolve import resolve
from tfvae.training.settings import PRECISIONS

_MAX_WIDTH = 110
# What else fits a setting, for its comment.
_OTHERS = {
    "data.name": "a name, a table such as a .csv file, a .npy or .npz file, or a folder of images or of shards",
    "data.binarize": "for a Bernoulli likelihood: dynamic, static, threshold, none",
    "data.condition": "label, a column of a table, or an array of an .npz: what a conditional model is given",
    "data.missing": "nan: NaN is a missing value; or a mask, an array of an .npz",
    "data.label": "the column of a table that has the classes",
    "data.id": "the column of a table that identifies its rows",
    "data.weight": "the column of a table that has the weights of its rows",
    "data.image_size": "28, 32x48: images of a folder are scaled and cropped to this height and width",
    "data.validation_split": "share of the training examples that chooses the model, if the data have no such split",
    "data.num_labels": 'training examples that keep their label, for kind = "m2"; 0: all',
    "data.labelled_per_batch": "labelled examples in each batch; 0: a tenth",
    "model.kind": "m2: semi-supervised, for data with labels",
    "model.conditioned": "the networks that get the condition",
    "model.label_prior": "of the classes of m2: uniform, learned, or their probabilities",
    "model.hidden": "units of the hidden layers; reversed for the decoder",
    "model.filters": "filters of the levels of conv and resnet",
    "model.activation": "of the hidden layers",
    "model.latent_size": "number of latent dimensions",
    "model.standardize": "on, off: whether the model standardises the data, for a normal likelihood",
    "training.epochs": "passes over the data",
    "training.batch_size": "examples per step",
    "training.learning_rate": 'a number, or a schedule such as {kind = "cosine_decay", ...}',
    "training.num_samples": "draws of z per example",
    "training.kl": "analytic, monte_carlo, auto",
    "training.beta": 'a number, {kind = "linear_warm_up", num_epochs = 10}, {kind = "free_bits", nats = 0.5}',
    "training.precision": ", ".join(PRECISIONS),
    "training.seed": "of the initial weights, the order of the data and all draws",
    "training.select": "last, best: by validation ELBO, among the checkpoints",
    "training.keep_best": "true: save and keep the epoch of the best validation ELBO",
    "training.callbacks": '[{kind = "early_stopping", monitor = "val_elbo", patience = 10}]',
    "training.keep": "newest checkpoints to keep",
    "training.checkpoint_steps": "steps between checkpoints within an epoch; 0: only between epochs",
    "training.on_nan": "stop, rewind: to the newest checkpoint with half the learning rate",
    "training.strategy": "none, mirrored: all GPUs, multi_worker: several machines",
    "evaluation.num_samples": "draws of z per example for the ELBO",
    "evaluation.num_importance_samples": "importance samples per example for log p(x)",
    "evaluation.num_examples": "examples for slow measures",
}
# Settings that are found in the data.
_FOUND = ("data.classes", "data.columns")
# Settings that follow from others, so that the file can be changed in one place.
_AUTOMATIC = ("data.binarize", "model.activation", "model.standardize", "training.kl")


def commented_file(config: RunConfig, splits: Splits) -> str:
    """Returns a TOML file with all settings, resolved for the data, and what else fits in comments.

    Args:
        config: The settings that are given.
        splits: The data.
    """
    given, found = config.to_dict(), resolve(config, splits)
    lines = [
        "# Settings of a run. Train it with `tfvae train --config FILE`.",
        "# `tfvae parts` describes the parts.",
        "#",
    ]
    lines += [f"# {choice.name}: {choice.value}" for choice in choices(found, splits)]
    for table, settings in found.to_dict().items():
        lines += ["", f"[{table}]"]
        for name, value in settings.items():
            setting = f"{table}.{name}"
            if setting in _FOUND:
                continue
            comment = _comment(setting, found, splits)
            if setting in _AUTOMATIC and given[table][name] == "auto":
                value, comment = "auto", f"auto, here {value}; {comment}"
            line = f"{name} = {written(value)}"
            is_long = len(f"{line}  # {comment}") > _MAX_WIDTH
            lines += (
                textwrap.wrap(comment, _MAX_WIDTH, initial_indent="# ", subsequent_indent="#   ") if is_long else []
            )
            lines.append(line if is_long or not comment else f"{line}  # {comment}")
    return "\n".join(lines) + "\n"


def _comment(setting: str, config: RunConfig, splits: Splits) -> str:
    if setting in _OTHERS:
        return _OTHERS[setting]
    if setting not in FAMILIES:
        return ""
    table, _, name = setting.partition(".")
    chosen, _ = part_of(config.to_dict()[table][name], setting)
    known = fitting(splits) if setting == "model.likelihood" else FAMILIES[setting].kinds
    return f"or {', '.join(kind for kind in known if kind != chosen and _fits(setting, kind, config, splits))}"


def _fits(setting: str, kind: str, config: RunConfig, splits: Splits) -> bool:
    """Whether a network fits the data, or a prior the posterior."""
    if setting == "model.network":
        if kind == GYROPLANE:
            return ball_curvature(config.model) is not None
        return kind in kinds.OF_ANY_SHAPE or len(splits.event_shape) in (2, 3, 4)
    if setting == "model.prior":
        if kind == "conditional" and splits.train.condition_shape is None:
            return False
        return kind in fitting_priors(part_of(config.model.posterior, "model.posterior")[0])
    return True

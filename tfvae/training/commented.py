"""A commented file of settings for data."""

import textwrap

from tfvae.data import Splits
from tfvae.parts import FAMILIES
from tfvae.parts.written import written
from tfvae.training.choices import choices
from tfvae.training.config import RunConfig
from tfvae.training.likelihoods import fitting
from tfvae.training.resolve import resolve
from tfvae.training.settings import PRECISIONS

_MAX_WIDTH = 110
# What else fits a setting, for its comment.
_OTHERS = {
    "data.binarize": "for a Bernoulli likelihood: dynamic, static, threshold, none",
    "model.hidden": "units of the hidden layers; reversed for the decoder",
    "model.filters": "filters of the levels of conv and resnet",
    "model.activation": "of the hidden layers",
    "model.latent_size": "number of latent dimensions",
    "model.standardize": "on, off: whether the model standardises the data, for a normal likelihood",
    "training.epochs": "passes over the data",
    "training.learning_rate": 'a number, or a schedule such as {kind = "cosine_decay", ...}',
    "training.num_samples": "draws of z per example",
    "training.kl": "analytic, monte_carlo, auto",
    "training.beta": 'a number, {kind = "linear_warm_up", num_epochs = 10}, {kind = "free_bits", nats = 0.5}',
    "training.precision": ", ".join(PRECISIONS),
    "training.select": "last, best: by validation ELBO, among the checkpoints",
    "training.keep_best": "true: save and keep the epoch of the best validation ELBO",
    "training.callbacks": '[{kind = "early_stopping", monitor = "val_elbo", patience = 10}]',
    "training.on_nan": "stop, rewind",
    "training.strategy": "none, mirrored, multi_worker",
}


def commented_file(config: RunConfig, splits: Splits) -> str:
    """Returns a TOML file with all settings, resolved for the data, and what else fits in comments.

    Args:
        config: The settings that are given.
        splits: The data.
    """
    found = resolve(config, splits)
    lines = [
        "# Settings of a run. Train it with `tfvae train --config FILE`.",
        "# `tfvae parts` describes the parts.",
        "#",
    ]
    lines += [f"# {choice.name}: {choice.value}" for choice in choices(found, splits)]
    for table, settings in found.to_dict().items():
        lines += ["", f"[{table}]"]
        for name, value in settings.items():
            line, comment = f"{name} = {written(value)}", _comment(f"{table}.{name}", splits)
            is_long = len(f"{line}  # {comment}") > _MAX_WIDTH
            lines += (
                textwrap.wrap(comment, _MAX_WIDTH, initial_indent="# ", subsequent_indent="#   ") if is_long else []
            )
            lines.append(line if is_long or not comment else f"{line}  # {comment}")
    return "\n".join(lines) + "\n"


def _comment(setting: str, splits: Splits) -> str:
    if setting == "model.likelihood":
        return f"or {', '.join(fitting(splits))}"
    if setting in _OTHERS:
        return _OTHERS[setting]
    return f"or {', '.join(FAMILIES[setting].kinds)}" if setting in FAMILIES else ""

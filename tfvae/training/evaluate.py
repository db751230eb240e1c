"""Report of a run: the measurements at the end of training and those of `tfvae evaluate`."""

import dataclasses
import functools
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tfvae import evaluation
from tfvae._activity import collapse
from tfvae._display import Display
from tfvae._files import write_bytes, write_json, write_text
from tfvae.data import Split
from tfvae.data.holes import with_nan
from tfvae.data.value_grid import value_grid
from tfvae.estimators import EstimatorWithProposal
from tfvae.evaluation import figures
from tfvae.evaluation._shares import has_shares
from tfvae.evaluation.report import report_dict, report_markdown
from tfvae.models.styles import has_class_labels, has_styles
from tfvae.training.attempts import Attempts
from tfvae.training.baseline import baseline_entries, measure_baseline
from tfvae.training.choices import choices
from tfvae.training.config import RunConfig
from tfvae.training.evaluate_table import evaluate_table
from tfvae.training.examine import examine
from tfvae.training.likelihoods import COUNTS, SIZED
from tfvae.training.per_example import write_per_example
from tfvae.training.run_data import RunData, dequantizes
from tfvae.training.saved_run import Run

# Maximum number of examples in the scatter plot of latents.
_MAX_SCATTERED = 5000
# Number of examples, and of conditions that are not classes, in figures of styles.
_NUM_ROWS, _NUM_COLUMNS = 10, 8
# Maximum number of classes in figures of styles.
_MAX_CLASSES = 20
# Maximum number of training examples that determine the display range.
_MAX_DISPLAY_EXAMPLES = 2000
# Share of counts that are within the scale of a figure.
_SHOWN_SHARE = 0.999


def evaluate(
    run: Run, data: RunData, *, thorough: bool = False, on_stage: Callable[[str], None] = lambda stage: None
) -> dict[str, Any]:
    """Measures the test data, draws the figures and writes the report. Returns the content of `report.json`.

    A measure or figure that fails does not stop the others. Its value is unknown, and `failed` contains the reason.

    Args:
        run: The run.
        data: The data of the run.
        thorough: Whether to examine latents, inference, representation and gradients too, which takes minutes instead
            of seconds.
        on_stage: Function that is called with a line of text when a stage begins.
    """
    config, vae = run.config, run.vae
    splits, raw, split = data.splits, data.stored_evaluation, data.evaluation
    attempt = Attempts()
    elbo, log_marginal = _bounds(run, split, attempt, on_stage)
    active = attempt("active units", lambda: evaluation.active_units(vae, split))
    shares = attempt("shares", lambda: evaluation.effective_dimensions(vae, split)) if has_shares(vae) else None
    accuracy = _accuracy(run, split, attempt)
    num_dimensions = int(split.x[0].size)
    history = attempt("training curves", run.folder.history) or {}
    seconds = sum(history.get("seconds", ()))
    epochs = len(history.get("epoch", ()))
    report = report_dict(
        elbo,
        log_marginal,
        evaluation.bits_per_dim(log_marginal, num_dimensions, data.num_levels),
        {
            "active_units": None if active is None else active.to_dict(),
            "collapse": _collapse(elbo, active),
            **({} if shares is None else {"effective_dimensions": shares.to_dict()}),
            **({} if accuracy is None else {"accuracy": accuracy.to_dict()}),
            **({"condition": config.data.condition} if config.data.condition else {}),
            "title": _title(config, splits.name),
            "split": raw.name,
            "validation": data.validation_name,
            "epochs": epochs,
            "training_seconds": round(seconds, 3),
            "examples_per_second": round(epochs * len(splits.train) / seconds, 1) if seconds else None,
            "num_parameters": int(sum(v.value.shape.num_elements() for v in vae.trainable_variables)),
            "note": _note(config, raw),
            **baseline_entries(attempt("baseline", lambda: measure_baseline(data)), elbo),
            "choices": [choice._asdict() for choice in choices(config, splits)],
            "config": config.to_dict(),
        },
    )
    per_example = {record.name: record.per_example for record in (elbo, log_marginal)}
    write_per_example(run.folder.per_example, split.x, per_example)
    on_stage("drawing the figures")
    display = display_of(data)
    drawn = _figures(run, split, raw, history, display, attempt)
    if splits.schema is not None and config.model.likelihood_kind == "table":
        of_table = evaluate_table(run, data, splits.schema, attempt=attempt, on_stage=on_stage)
        report |= of_table.report
        drawn = of_table.figures | drawn
    if thorough:
        found = examine(run, data, display=display, attempt=attempt, on_stage=on_stage)
        report |= found.report
        drawn |= found.figures
    saved = [name for name, figure in drawn.items() if attempt(name, functools.partial(_save, run, name, figure))]
    report["failed"] = attempt.failed
    write_json(run.folder.report_json, report)
    write_text(run.folder.report_markdown, report_markdown(report, saved))
    return report


def _bounds(
    run: Run, split: Split, attempt: Attempts, on_stage: Callable[[str], None]
) -> tuple[evaluation.Record, evaluation.Record]:
    """Measures the ELBO and log p(x), by the draws of the estimator if it has some of its own, else those of q(z|x).

    A value is unknown if its measurement fails.
    """
    num_samples, k = run.config.evaluation.num_samples, run.config.evaluation.num_importance_samples
    own = run.vae.estimator if isinstance(run.vae.estimator, EstimatorWithProposal) else None
    on_stage(f"measuring the ELBO of {len(split):,} examples")
    elbo = attempt("ELBO", lambda: evaluation.elbo(run.vae, split, num_samples=num_samples, estimator=own))
    on_stage(f"measuring log p(x) with {k} importance samples per example")
    log_marginal = attempt(
        "log p(x)", lambda: evaluation.log_marginal(run.vae, split, num_importance_samples=k, estimator=own)
    )
    unknown = functools.partial(evaluation.Record.unknown, unit="nats", num_examples=len(split))
    return (
        elbo or unknown("elbo", num_samples=num_samples, log_likelihood=None, kl=None),
        log_marginal or unknown("log_marginal", num_importance_samples=k, num_above_threshold=None),
    )


def _accuracy(run: Run, split: Split, attempt: Attempts) -> evaluation.Accuracy | None:
    """Measures the accuracy of a model with class labels. None for other models, and for data without labels."""
    if not has_class_labels(run.vae) or split.labels is None or not (split.labels >= 0).any():
        return None
    return attempt("accuracy", lambda: evaluation.accuracy(run.vae, split))


def _title(config: RunConfig, name: str) -> str:
    kind = "M2, " if config.model.kind == "m2" else ""
    given = f", given the condition {config.data.condition}" if config.data.condition else ""
    return f"{name}: {kind}{config.model.network_kind}, {config.model.latent_size} latent dimensions{given}"


def _collapse(elbo: evaluation.Record, active: evaluation.ActiveUnits | None) -> dict[str, Any] | None:
    """Returns whether the posterior has collapsed, with an explanation. None if the rate is unknown."""
    rate = elbo.diagnostics["kl"]
    if rate is None:
        return None
    units = None if active is None else (active.num_active, len(active.active))
    has_collapsed, message = collapse(rate, units, elbo.diagnostics.get("kl_standard_error"))
    return {"has_collapsed": has_collapsed, "message": message}


def about_run(report: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the entry `about` of an exported model: the data of its run, their preprocessing, and its bounds."""
    numbers = {name: report[name] for name in ("elbo", "log_marginal", "bits_per_dim")}
    return {"data": report["config"]["data"], "note": report["note"], "split": report["split"], **numbers}


def _note(config: RunConfig, raw: Split) -> str:
    if raw.schema is not None and config.model.likelihood_kind == "table":
        return (
            "log p(x) is that of a row. It has a density in the unit of the column for each number, and a probability "
            "for each category and count, so it depends on the units."
        )
    if config.data.binarize == "threshold":
        return "The data are gray levels, thresholded at one half to zeros and ones."
    if config.data.binarize != "none":
        return "The data are gray levels, binarised once with a Bernoulli draw per pixel and a fixed seed."
    if dequantizes(config, raw):
        return (
            f"The data are {raw.num_levels} levels plus uniform noise with the width of one level, drawn once with a "
            "fixed seed. log p(x) is the density of (level + noise) / levels, and bits per dimension refer to levels."
        )
    if config.model.likelihood_kind == "bernoulli" and not raw.is_binary:
        return (
            "The data are gray values under a Bernoulli likelihood. The numbers are cross-entropies, not "
            "log-probabilities of the values."
        )
    if config.model.standardize == "on":
        return (
            "The model standardises each feature. log p(x) is a density in the units of the data and depends on them, "
            "and bits per dimension can be negative."
        )
    if raw.num_levels is not None and not raw.is_binary:
        return f"The data are {raw.num_levels} levels. log p(x) is a log-probability of levels."
    if config.model.likelihood_kind in COUNTS:
        return "The data are whole numbers. log p(x) is a log-probability."
    if raw.num_levels is None:
        grid = value_grid(raw.raw[:1000])
        kind = "continuous" if grid is None else f"{grid.num_levels} equidistant values, treated as continuous"
        return f"The data are {kind}. log p(x) is a density, and bits per dimension can be negative."
    return "The data are binary."


def display_of(data: RunData) -> Display:
    """Returns the display of the data, scaled by training examples, because a test split may have only one example."""
    train = data.train(_MAX_DISPLAY_EXAMPLES)
    display = Display.of(with_nan(train.x, train.observed))
    if data.config.model.likelihood_kind == SIZED:  # a few counts are far larger than all others
        high = np.maximum(np.quantile(train.x, _SHOWN_SHARE), 1.0)
        display = dataclasses.replace(display, low=np.zeros_like(display.low), high=np.full_like(display.high, high))
    return display


def _figures(
    run: Run,
    split: Split,
    raw: Split,
    history: Mapping[str, list[float]],
    display: Display,
    attempt: Attempts,
) -> dict[str, Figure]:
    vae, x = run.vae, with_nan(split.x, split.observed)
    labels = None if raw.labels is None else raw.labels[:_MAX_SCATTERED]

    def condition(num: int) -> Any:
        return None if vae.condition_shape is None or split.condition is None else split.condition[:num]

    steps: dict[str, Callable[[], Figure]] = {
        "reconstructions": lambda: figures.reconstructions(vae, x[:40], condition=condition(40), display=display),
        "prior_samples": lambda: figures.prior_samples(vae, condition=condition(len(x)), data=x, display=display),
        "latent_scatter": lambda: figures.latent_scatter(
            vae,
            x[:_MAX_SCATTERED],
            labels,
            condition=condition(_MAX_SCATTERED),
            class_names=raw.class_names,
        ),
    }
    if vae.condition_shape == (1,) and run.config.model.likelihood_kind == SIZED:
        return _drawn(steps, history, attempt)  # the only condition is the size of a row
    if raw.schema is not None:  # numbers of categories are no pictures
        del steps["reconstructions"], steps["prior_samples"]
    elif has_styles(vae):
        names = run.config.data.classes[:_MAX_CLASSES] or None
        # Of conditions that are not classes, those of examples are shown.
        columns = condition(_NUM_COLUMNS) if names is None else _conditions_of_classes(run.config, split, len(names))
        steps["styles"] = lambda: figures.styles(vae, columns, names=names, display=display)
        steps["analogies"] = lambda: figures.analogies(
            vae,
            x[:_NUM_ROWS],
            columns,
            condition=condition(_NUM_ROWS),
            labels=None if labels is None else labels[:_NUM_ROWS],
            names=names,
            display=display,
        )
    else:
        steps["manifold"] = lambda: figures.manifold(vae, x[:_MAX_SCATTERED], display=display)
    return _drawn(steps, history, attempt)


def _conditions_of_classes(config: RunConfig, split: Split, num_classes: int) -> np.ndarray:
    """Returns the numbers of classes or, for rows of counts, their one-hot vectors and the median size of a row."""
    if config.model.likelihood_kind != SIZED or split.condition is None:
        return np.arange(num_classes)
    sizes = np.full((num_classes, 1), np.median(split.condition[:, -1]), np.float32)
    return np.concatenate([np.eye(num_classes, split.condition.shape[1] - 1, dtype=np.float32), sizes], axis=1)


def _drawn(
    steps: dict[str, Callable[[], Figure]], history: Mapping[str, list[float]], attempt: Attempts
) -> dict[str, Figure]:
    """Draws the figures, and the training curves. Those that fail are left out."""
    if history:
        steps["training_curves"] = lambda: figures.training_curves(history)
    drawn = {name: attempt(name, step) for name, step in steps.items()}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _save(run: Run, name: str, figure: Figure) -> Path:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return write_bytes(run.folder.figures / f"{name}.png", buffer.getvalue())

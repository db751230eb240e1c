"""The report of a run: what is measured when training ends, and what `tfvae evaluate` adds."""

import io
from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure

from tfvae import evaluation
from tfvae._files import write_bytes, write_json, write_text
from tfvae.data import Split, Splits
from tfvae.data.value_grid import value_grid
from tfvae.evaluation import figures
from tfvae.evaluation.report import report_dict, report_markdown
from tfvae.training.build import dequantizes, evaluation_split, held
from tfvae.training.config import RunConfig
from tfvae.training.examine import examine
from tfvae.training.saved_run import Run


def reported_split(splits: Splits) -> Split:
    """What the report measures: the test split, or the nearest to it there is; the first examples of one on disk."""
    return held(splits.test or splits.validation or splits.train)


def evaluate(
    run: Run, splits: Splits, *, thorough: bool = False, on_stage: Callable[[str], None] = lambda stage: None
) -> dict[str, Any]:
    """Measures the test data, draws the figures and writes the report; returns it as `report.json` holds it.

    Args:
        run: the run.
        splits: its data.
        thorough: whether to look at latents, inference, representation and gradients too, which takes minutes rather
            than seconds.
        on_stage: called with a line of text when a stage begins.
    """
    config, vae, settings = run.config, run.vae, run.config.evaluation
    raw = reported_split(splits)
    split = evaluation_split(config, raw)
    on_stage(f"measuring the ELBO of {len(split):,} examples")
    elbo = evaluation.elbo(vae, split, num_samples=settings.num_samples)
    on_stage(f"measuring log p(x) with {settings.num_importance_samples} importance samples an example")
    log_marginal = evaluation.log_marginal(vae, split, num_importance_samples=settings.num_importance_samples)
    active = evaluation.active_units(vae, split)
    num_levels = raw.num_levels if dequantizes(config, raw) else None
    num_dimensions = int(split.x[0].size)
    history = run.folder.history()
    seconds = sum(history.get("seconds", ()))
    epochs = len(history.get("epoch", ()))
    report = report_dict(
        elbo,
        log_marginal,
        evaluation.bits_per_dim(log_marginal, num_dimensions, num_levels),
        {
            "active_units": None if active is None else active.to_dict(),
            "title": f"{splits.name}: {config.model.network}, {config.model.latent_size} latent dimensions",
            "split": raw.name,
            "epochs": epochs,
            "training_seconds": round(seconds, 3),
            "examples_per_second": round(epochs * len(splits.train) / seconds, 1) if seconds else None,
            "num_parameters": int(sum(v.value.shape.num_elements() for v in vae.trainable_variables)),
            "note": _note(config, raw),
            "config": config.to_dict(),
        },
    )
    on_stage("drawing the figures")
    drawn = _figures(run, split, raw, history)
    if thorough:
        found = examine(run, splits, split, num_levels=num_levels, on_stage=on_stage)
        report |= found.report
        drawn |= found.figures
    _save(run, drawn)
    write_json(run.folder.report_json, report)
    write_text(run.folder.report_markdown, report_markdown(report, list(drawn)))
    return report


def about_run(report: Mapping[str, Any]) -> dict[str, Any]:
    """What an exported model says of the run it is from: its data, how x is made of them, its bounds."""
    numbers = {name: report[name] for name in ("elbo", "log_marginal", "bits_per_dim")}
    return {"data": report["config"]["data"], "note": report["note"], "split": report["split"], **numbers}


def _note(config: RunConfig, raw: Split) -> str:
    if config.data.binarize == "threshold":
        return "The data are gray levels cut at one half into zeros and ones."
    if config.data.binarize != "none":
        return "The data are gray levels binarised once, by one Bernoulli draw a pixel with a fixed seed."
    if dequantizes(config, raw):
        return (
            f"The data are {raw.num_levels} levels with uniform noise of one level's width added once, with a "
            "fixed seed; log p(x) is the density of (level + noise) / levels, bits per dimension count the levels."
        )
    if config.model.likelihood == "bernoulli" and not raw.is_binary:
        return (
            "The data are gray values under a Bernoulli likelihood: the numbers are cross-entropies, no "
            "log-probabilities of the values."
        )
    if raw.num_levels is None:
        grid = value_grid(raw.raw[:1000])
        kind = "continuous" if grid is None else f"{grid.num_levels} values at equal distances, taken as continuous"
        return f"The data are {kind}: log p(x) is a density, and bits per dimension can be negative."
    return "The data are binary."


def _figures(run: Run, split: Split, raw: Split, history: dict[str, list[float]]) -> dict[str, Figure]:
    vae, x = run.vae, split.x
    drawn = {
        "reconstructions": figures.reconstructions(vae, x[:40]),
        "prior_samples": figures.prior_samples(vae),
        "latent_scatter": figures.latent_scatter(vae, x[:5000], None if raw.labels is None else raw.labels[:5000]),
    }
    if tuple(vae.latent_shape) == (2,):
        drawn["manifold"] = figures.manifold(vae)
    if history:
        drawn["training_curves"] = figures.training_curves(history)
    return drawn


def _save(run: Run, drawn: dict[str, Figure]) -> None:
    for name, figure in drawn.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110)
        write_bytes(run.folder.figures / f"{name}.png", buffer.getvalue())

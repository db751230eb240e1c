"""Implementation of `tfvae score`."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfvae import evaluation
from tfvae.cli.commands.anomalies import Anomalies, anomalies_in_column, anomalies_in_labels
from tfvae.cli.commands.causes import of_arrays, of_table
from tfvae.cli.commands.examples import batches_of, examples_of
from tfvae.cli.commands.loaded_split import Ids, ids_of
from tfvae.cli.commands.output import announced, write_arrays, write_frame
from tfvae.cli.commands.saying import say
from tfvae.data import Split
from tfvae.models.queries import block_seed
from tfvae.tables import read_table
from tfvae.training.saved_run import load_run
from tfvae.training.score_reference import NamedReference, reference_of_run

# Number of causes of each example in the file, and of examples that are printed.
_NUM_CAUSES, _NUM_PRINTED = 3, 5


@dataclasses.dataclass(frozen=True)
class Scoring:
    """Options of `tfvae score`.

    Attributes:
        expected_share: Share of the reference examples that count as unusual.
        num_importance_samples: K.
        id: Column that identifies rows, or None for that of the run.
        label: Column of the labels of a table, or None for that of the run.
        anomalies: Classes that are anomalies. If there are some, the area under the ROC curve is printed.
        seed: Seed of the draws.
    """

    expected_share: float
    num_importance_samples: int
    id: str | None
    label: str | None
    anomalies: tuple[str, ...]
    seed: int


def score(
    run_dir: Path, data: str | None, split_name: str, missing: str | None, options: Scoring, output: Path
) -> None:
    """Runs `tfvae score`."""
    run = load_run(run_dir)
    split = examples_of(run, data, split_name, missing, id=options.id, misfits="missing")
    anomalies = causes = None
    if isinstance(split, Split) and split.schema is not None:
        frame = read_table(data or run.config.data.name, missing=split.schema.missing)
        causes = of_table(frame, split.schema, split.observed)
        if options.anomalies:
            column = options.label or run.config.data.label
            anomalies = anomalies_in_column(frame, column, options.anomalies, split.schema)
    else:
        causes = of_arrays(split)
        if options.anomalies:
            anomalies = anomalies_in_labels(split.labels, split.class_names, options.anomalies, split.name)
    say(f"scoring {len(split):,} examples with {options.num_importance_samples} importance samples each")
    named = reference_of_run(run, options.num_importance_samples)
    ids, id_name = _ids(ids_of(run.config, split, options.id), len(split))
    kept: list[evaluation.Scores] = []

    def scored() -> Iterator[tuple[slice, evaluation.Scores, np.ndarray]]:
        start = 0
        for i, (batch, _) in enumerate(batches_of(split)):
            rows = slice(start, start := start + len(batch["x"]))
            found = evaluation.score(
                run.vae,
                batch,
                reference=named.reference,
                num_importance_samples=options.num_importance_samples,
                seed=block_seed(options.seed, i),
            )
            if causes.excluded is not None:
                found = found.with_excluded(causes.excluded[rows])
            kept.append(found.without_values())
            yield rows, found, np.asarray(batch["x"])

    def common(rows: slice, found: evaluation.Scores) -> dict[str, Any]:
        return {
            id_name: ids[rows],
            "log_likelihood": found.log_marginal,
            "standard_error": found.standard_error,
            "quantile": found.quantile,
            "is_unusual": found.is_unusual(options.expected_share),
        }

    printed: dict[int, str] = {}
    if output.suffix.lower() == ".npz":
        parts = (
            {**common(*each[:2]), "contributions": each[1].contributions, "of_latents": each[1].contribution_of_latents}
            for each in scored()
        )
        write_arrays(output, announced(output, parts, len(split)))
    else:
        import pandas as pd

        frames = []
        for rows, found, x in scored():
            top = causes.columns(found, x, rows.start, _NUM_CAUSES)
            frames.append(
                pd.DataFrame({**common(rows, found), **top, "contribution_of_latents": found.contribution_of_latents})
            )
            for place in np.argsort(found.quantile, kind="stable")[:_NUM_PRINTED]:
                printed[rows.start + int(place)] = causes.words(top, int(place))
        write_frame(output, pd.concat(frames, ignore_index=True))
    scores = evaluation.Scores.joined(kept)
    _report(scores, named, options.expected_share)
    _print_most_unusual(scores, printed, ids, id_name)
    if anomalies is not None:
        _print_auroc(scores, anomalies)


def _ids(ids: Ids, num_examples: int) -> tuple[np.ndarray, str]:
    """Returns what identifies the examples, and the name of its column: numbers from 0 if there is none."""
    return (np.arange(num_examples), "row") if ids.values is None else (ids.values, ids.name)


def _report(scores: evaluation.Scores, named: NamedReference, expected_share: float) -> None:
    num, count = len(scores), int(scores.is_unusual(expected_share).sum())
    usual = len(named.reference)
    say(
        f"{count:,} of {num:,} ({count / num:.1%}) are unusual: their quantile among the {usual:,} examples of "
        f"{named.name} is at most {expected_share:g}"
    )
    if expected_share * usual < 1:
        say(f"A share of {expected_share:g} of {usual:,} is less than one: only what is below all of them is unusual.")
    excluded = int(np.isneginf(scores.log_marginal).sum())
    if excluded:
        say(f"{excluded:,} have a value that the model excludes, such as an unknown category: log p(x) is -inf")
    unreliable = int(scores.is_unreliable.sum())
    if unreliable:
        say(
            f"log p(x) of {unreliable:,} may be too low, by more than its standard error, because a few importance "
            "samples dominate. More of them help: --num-importance-samples"
        )


def _print_most_unusual(scores: evaluation.Scores, words: dict[int, str], ids: np.ndarray, id_name: str) -> None:
    order = sorted(words, key=lambda row: -scores.surprise[row])[:_NUM_PRINTED]
    for row in order:
        found = f"log p(x) {scores.log_marginal[row]:.1f} ± {scores.standard_error[row]:.1f}"
        if np.isneginf(scores.log_marginal[row]):
            found = "log p(x) -inf"
        say(f"  {id_name} {ids[row]}: {found}{words[row]}")


def _print_auroc(scores: evaluation.Scores, anomalies: Anomalies) -> None:
    known = anomalies.is_known
    found = evaluation.auroc(scores.surprise[known], anomalies.is_anomaly[known])
    say(
        f"AUROC {found.area:.3f} ± {found.standard_error:.3f}: {found.num_anomalies:,} with {anomalies.words} against "
        f"{found.num_normal:,} others"
    )

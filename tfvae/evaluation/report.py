"""The report of a run: `report.json` for programs, `report.md` for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfvae._reported import value_with_error
from tfvae.evaluation._reliability import reliability
from tfvae.evaluation.baseline import baseline_warning
from tfvae.evaluation.examination_report import examination_markdown, over_draws
from tfvae.evaluation.record import NUM_OBSERVED, Record, density_of_levels
from tfvae.evaluation.table_report import table_markdown, table_summary

_TITLES = {
    "reconstructions": "Reconstructions",
    "prior_samples": "Samples from the prior",
    "manifold": "The latent plane",
    "latent_scatter": "Latent space",
    "styles": "One style in every class",
    "analogies": "Styles of examples in every class",
    "training_curves": "Training",
    "prior_vs_posterior": "Prior, aggregated posterior, and a mixture fitted to it",
    "traversals": "One latent dimension at a time",
    "interpolations": "Interpolation between examples",
    "gradient_variance": "Noise of the gradients",
    "marginals": "Columns of real and sampled rows",
    "associations": "Associations between columns",
    "column_likelihoods": "Log-likelihood of columns",
}


def report_dict(elbo: Record, log_marginal: Record, bits_per_dim: Record, about: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the content of `report.json`: the three records by name, and the facts about the run."""
    records = {record.name: record.to_dict() for record in (elbo, log_marginal, bits_per_dim)}
    return {**records, **about}


def rows(report: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Returns rows `(quantity, value with the standard error over examples, standard error over draws, unit)`."""
    elbo, log_marginal, bits = (report[name] for name in ("elbo", "log_marginal", "bits_per_dim"))
    k, split = log_marginal["num_importance_samples"], report["split"].rsplit("/", 1)[-1]
    return [
        _row(f"{split} ELBO", elbo, "nats"),
        _row("  log-likelihood", _part(elbo, "log_likelihood"), "nats"),
        _row("  KL", _part(elbo, "kl"), "nats"),
        _row(f"{_density(report)}, {k} importance samples", log_marginal, "nats"),
        ("  unreliable log p(x)", reliability(log_marginal)[0], "", ""),
        *_baseline(report),
        # Values of a table have different units, so that a mean over columns means nothing.
        *([] if "columns" in report else [_row(_bits_name(bits), bits, "bits", digits=4)]),
        *_active_units(report),
        *_shares(report),
        *_accuracy(report),
        *table_summary(report),
    ]


def _escaped(text: str) -> str:
    """Escapes the separators of a table in Markdown."""
    return text.replace("|", "\\|")


def _density(report: Mapping[str, Any]) -> str:
    return "log p(x|c)" if report.get("condition") else "log p(x)"


def _accuracy(report: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    found = report.get("accuracy")
    return [] if found is None else [("accuracy of q(y|x)", value_with_error(found, 4), "exact", "")]


def _baseline(report: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    baseline = report.get("baseline")  # reports of earlier versions have none
    if baseline is None:
        return []
    family = {"normal": "normals", "bernoulli": "Bernoullis", "table": "columns", "counts": "counts"}[
        baseline["family"]
    ]
    found = [_row(f"baseline: independent {family}", baseline, "nats")]
    above = report.get("above_baseline")
    return found if above is None else [*found, _row("  ELBO above the baseline", above, "nats")]


def _bits_name(bits: Mapping[str, Any]) -> str:
    name = "bits per observed dimension" if NUM_OBSERVED in bits else "bits per dimension"
    return f"{name}, of a density" if "density_of_levels" in bits else name


def _row(name: str, record: Mapping[str, Any], unit: str, digits: int = 3) -> tuple[str, str, str, str]:
    return name, value_with_error(record, digits), over_draws(record["monte_carlo_standard_error"], digits + 1), unit


def _part(elbo: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Returns a term of the ELBO as a record; reports of earlier versions have no errors."""
    errors = ("standard_error", "monte_carlo_standard_error")
    return {"mean": elbo[name], **{error: elbo.get(f"{name}_{error}") for error in errors}}


def _active_units(report: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    active = report.get("active_units")
    if active is None:  # reports of earlier versions have none
        return [("active units", "unknown", "", "")] if "active_units" in report else []
    uncertain = f", {active['num_uncertain']} uncertain" if "num_uncertain" in active else ""
    return [("active units", f"{active['num_active']} of {len(active['active'])}{uncertain}", "", "")]


def _shares(report: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    found = report.get("effective_dimensions")
    if found is None:
        return []
    shares = f"{found['perplexity']:.1f} of {len(found['mean_shares'])}"
    return [
        ("shares in use", shares, "", ""),
        (f"  with {found['coverage']:.0%} of the mass", str(found["num_covering"]), "", ""),
    ]


def report_markdown(report: Mapping[str, Any], figures: Sequence[str]) -> str:
    """Returns the content of `report.md`, with the figures in the folder `figures/` next to it."""
    lines = [
        f"# {report['title']}",
        "",
        f"{report['num_parameters']:,} weights, {report['epochs']} epochs, "
        f"{report['training_seconds']:.0f} s of training and validation; measured on "
        f"{report['elbo']['num_examples']:,} examples of {report['split']}.",
        "",
        *_failures(report),
        "| quantity | value ± examples | ± draws | unit |",
        "| --- | ---: | ---: | --- |",
        *(f"| {_escaped(name.strip())} | {' | '.join(cells)} |" for name, *cells in rows(report)),
        "",
        *report_notes(report),
        f"{report['note']}",
        *_choices(report),
        *table_markdown(report),
        *examination_markdown(report),
    ]
    for name in figures:
        lines += ["", f"## {_TITLES.get(name, name)}", "", f"![{_TITLES.get(name, name)}](figures/{name}.png)"]
    return "\n".join(lines) + "\n"


def _choices(report: Mapping[str, Any]) -> list[str]:
    """Lists the settings chosen from the data, and the options that change them."""
    found = report.get("choices")
    if not found:
        return []
    lines = ["", "| setting | used | changed by |", "| --- | --- | --- |"]
    below = []
    for choice in found:
        first, *others = str(choice["value"]).splitlines() or [""]
        lines.append(f"| {choice['name']} | {_escaped(first)} | {choice['option']} |")
        if others:  # such as a line for each column of a table
            below += ["", "```text", *(line.strip() for line in others), "```"]
    return lines + below


def collapse_warning(report: Mapping[str, Any]) -> str | None:
    """Returns a warning if the posterior has collapsed, else None."""
    found = report.get("collapse")  # reports of earlier versions have none
    if not (found and found["has_collapsed"]):
        return None
    return f"{found['message']} From the shell, try `--beta 0.2`, smaller `--hidden` layers, or more `--epochs`."


def _failures(report: Mapping[str, Any]) -> list[str]:
    """Lists a collapse of the posterior, and what could not be measured and why."""
    failed: Mapping[str, str] = report.get("failed") or {}
    warning = collapse_warning(report)
    lines = [] if warning is None else [f"**{warning}**", ""]
    if failed:
        lines += [
            "The following could not be measured or drawn:",
            "",
            *(f"- {name}: {why}" for name, why in failed.items()),
            "",
        ]
    return lines


def report_notes(report: Mapping[str, Any]) -> list[str]:
    """Returns paragraphs on the accuracy of the numbers in the table."""
    paragraphs = [
        "± is one standard error: over the examples, and over the draws, for other seeds on the same examples. The "
        f"ELBO averages {report['elbo']['num_samples']} draws per example.",
        reliability(report["log_marginal"])[1],
    ]
    if "proposal" in report["log_marginal"]:
        paragraphs.append(
            f"The ELBO and log p(x) are measured with the draws of {report['log_marginal']['proposal']}, which have "
            "another distribution than q(z|x). With draws of q(z|x), as in exported models, both are usually lower."
        )
    warning = baseline_warning(report)
    if warning is not None:
        paragraphs.append(f"**Warning: {warning}**")
    baseline = report.get("baseline")
    if baseline is not None:
        paragraphs.append(
            "The baseline fits an independent distribution to each value in the training data: it is what a model "
            "reaches that knows nothing about the dependence between values."
            + (
                f" {baseline['num_constant']} values are constant in all training examples. A density has no upper "
                "bound there, so their part of log p(x) is meaningless; the baseline gives them a standard deviation "
                "of 1."
                if baseline["num_constant"]
                else ""
            )
        )
    levels, observed = (report["bits_per_dim"].get(name) for name in ("density_of_levels", NUM_OBSERVED))
    if levels is not None:
        paragraphs.append(density_of_levels(levels))
    if observed is not None and observed < report["bits_per_dim"]["num_dimensions"]:
        paragraphs.append(
            f"Some values are missing. Of the {report['bits_per_dim']['num_dimensions']} values of an example, "
            f"{observed:.4g} are observed on average. All numbers are those of the observed values."
        )
    active = report.get("active_units")
    if active is not None:
        paragraphs.append(
            f"A unit is active where the variance of E[z|x] over x is above {active['threshold']}, and uncertain where "
            "that is within two standard errors of the threshold."
        )
    if "effective_dimensions" in report:
        paragraphs.append(
            "The number of shares in use is exp of the entropy of the mean shares: all of them for equal shares, and 1 "
            "if one share has all mass."
        )
    return [line for paragraph in paragraphs if paragraph for line in (paragraph, "")]

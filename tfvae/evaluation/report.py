"""The report of a run: `report.json` for programs, `report.md` for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfvae.evaluation.examination_report import examination_markdown
from tfvae.evaluation.record import Record

_TITLES = {
    "reconstructions": "Reconstructions",
    "prior_samples": "Samples from the prior",
    "manifold": "The latent plane",
    "latent_scatter": "Latent space",
    "training_curves": "Training",
    "prior_vs_posterior": "Prior, aggregated posterior, and a mixture fitted to it",
    "traversals": "One latent dimension at a time",
    "interpolations": "On the way from one example to another",
    "gradient_variance": "Noise of the gradients",
}


def report_dict(elbo: Record, log_marginal: Record, bits_per_dim: Record, about: Mapping[str, Any]) -> dict[str, Any]:
    """What `report.json` holds: the three records by name, then what they are about."""
    records = {record.name: record.to_dict() for record in (elbo, log_marginal, bits_per_dim)}
    return {**records, **about}


def rows(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The numbers as `(quantity, value with standard error, unit)`."""
    elbo, log_marginal, bits = (report[name] for name in ("elbo", "log_marginal", "bits_per_dim"))
    k, split = log_marginal["num_importance_samples"], report["split"].rsplit("/", 1)[-1]
    return [
        (f"{split} ELBO", value_with_error(elbo), "nats"),
        ("  log-likelihood", f"{elbo['log_likelihood']:.3f}", "nats"),
        ("  KL", f"{elbo['kl']:.3f}", "nats"),
        (f"log p(x), {k} importance samples", value_with_error(log_marginal), "nats"),
        ("bits per dimension", value_with_error(bits, digits=4), "bits"),
        *_active_units(report),
    ]


def _active_units(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    active = report.get("active_units")  # a report of an earlier version has none
    if active is None:
        return []
    return [("active units", f"{active['num_active']} of {len(active['active'])}", "")]


def value_with_error(record: Mapping[str, Any], digits: int = 3) -> str:
    """A record's mean ± its standard error over examples."""
    error = record["standard_error"]
    return f"{record['mean']:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")


def report_markdown(report: Mapping[str, Any], figures: Sequence[str]) -> str:
    """What `report.md` holds, with the figures that lie in `figures/` beside it."""
    lines = [
        f"# {report['title']}",
        "",
        f"{report['num_parameters']:,} weights, {report['epochs']} epochs, "
        f"{report['training_seconds']:.0f} s of training and validation; measured on "
        f"{report['elbo']['num_examples']:,} examples of {report['split']}.",
        "",
        "| quantity | value | unit |",
        "| --- | ---: | --- |",
        *(f"| {name.strip()} | {value} | {unit} |" for name, value, unit in rows(report)),
        "",
        "± is one standard error over the examples. The ELBO averages "
        f"{report['elbo']['num_samples']} draws an example; its Monte Carlo error, over seeds, is "
        f"{_error(report['elbo'])}, that of log p(x) {_error(report['log_marginal'])} nats.",
        "",
        f"{report['note']}",
        *examination_markdown(report),
    ]
    for name in figures:
        lines += ["", f"## {_TITLES.get(name, name)}", "", f"![{_TITLES.get(name, name)}](figures/{name}.png)"]
    return "\n".join(lines) + "\n"


def _error(record: Mapping[str, Any]) -> str:
    error = record["monte_carlo_standard_error"]
    return "unknown" if error is None else f"{error:.4f}"

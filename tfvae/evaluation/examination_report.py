"""The part of `report.md` that a thorough evaluation adds."""

from collections.abc import Mapping
from typing import Any

from tfvae.evaluation._reliability import reliability
from tfvae.evaluation.gradient_noise import noise_table


def examination_markdown(report: Mapping[str, Any]) -> list[str]:
    """Returns lines of Markdown, with a section for each additional measure in the report."""
    lines: list[str] = []
    for name, section in _SECTIONS.items():
        if name in report:
            lines += ["", *section(report[name])]
    return lines


def _table(rows: list[tuple[str, Mapping[str, Any]]], unit: str = "nats") -> list[str]:
    lines = ["", "| quantity | value | ± examples | ± draws | unit |", "| --- | ---: | ---: | ---: | --- |"]
    return lines + [
        f"| {name} | {_number(row['mean'])} | {_number(row.get('standard_error'))} "
        f"| {over_draws(row.get('monte_carlo_standard_error'))} | {row.get('unit', unit)} |"
        for name, row in rows
    ]


def _number(value: float | None, digits: int = 4) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}"


def over_draws(error: float | None, digits: int = 4) -> str:
    """Formats the standard error over seeds, which is zero for exact values."""
    return "exact" if error == 0.0 else _number(error, digits)


def _diagnostics(found: Mapping[str, Any]) -> list[str]:
    names = {
        "rate": "rate, E KL(q(z\\|x) \\|\\| p(z))",
        "distortion": "distortion, -E log p(x\\|z)",
        "mutual_information": "I(x; z)",
        "aggregated_kl": "KL(q(z) \\|\\| p(z))",
        "bits_per_dim": "bits per dimension of the ELBO",
    }
    lines = ["## Latents", "", found["message"], *_table([(title, found[name]) for name, title in names.items()])]
    information = found["mutual_information"]
    lines += [
        "",
        f"I(x; z) is measured on {information['num_examples_in_mixture']} examples, so it cannot exceed "
        f"{information['upper_bound']:.3f} nats.",
    ]
    active, kls = found["active_units"], found["kl_per_dimension"]
    if active is not None:
        lines += [
            "",
            f"{active['num_active']} of {len(active['active'])} units are active: the variance of E[z|x] over x is "
            f"above {active['threshold']}; {active['num_uncertain']} are uncertain, within two standard errors of it.",
        ]
    if kls["mean"] is not None:
        lines += ["", f"KL by dimension: {kls['note']}.".replace("..", "."), ""]
        columns = [map(_number, kls["mean"]), map(_number, kls["standard_error"])]
        columns.append(map(over_draws, kls["monte_carlo_standard_error"]))
        titles = ["dimension", "KL", "± examples", "± draws"]
        if active is not None:
            columns += [map(_number, active["variance"]), map(_number, active["standard_error"])]
            titles += ["variance of E[z\\|x]", "± examples"]
        lines += [f"| {' | '.join(titles)} |", f"| {' | '.join(['---:'] * len(titles))} |"]
        lines += [f"| {d} | {' | '.join(row)} |" for d, row in enumerate(zip(*columns, strict=True))]
    return lines


def _gaps(found: Mapping[str, Any]) -> list[str]:
    names = {
        "elbo": "ELBO",
        "elbo_refined_diagonal": "ELBO, q refined for each example, diagonal",
        "elbo_refined_full": "ELBO, q refined for each example, full covariance",
        "log_marginal": "log p(x)",
        "amortization_gap": "amortisation gap",
        "approximation_gap": "approximation gap",
        "approximation_gap_full": "approximation gap of a full covariance",
    }
    about = f"Of {found['elbo']['num_examples']} examples; the encoder's family is {found['family']}."
    lines = ["## Inference", "", about, *_table([(title, found[name]) for name, title in names.items()])]
    message = reliability(found["log_marginal"])[1]
    return lines if message is None else [*lines, "", f"{message} The approximation gaps depend on it."]


def _ais(found: Mapping[str, Any]) -> list[str]:
    settings = f"{found['num_chains']} chains of {found['num_steps']} steps, from the {found['start']}"
    about = f"Annealed importance sampling, {settings}, on {found['num_examples']} examples: a lower bound."
    return ["## log p(x) by Markov chains", "", about, *_table([("log p(x), annealed", found)])]


def _both(found: Mapping[str, Any]) -> list[str]:
    rows = [("lower bound", found["lower"]), ("upper bound", found["upper"]), ("gap", found["gap"])]
    about = (
        "On data drawn from the model itself, chains in both directions bound log p(x) from below and above. The "
        "chains back share their first state; the effect of other draws is part of their ± over examples."
    )
    return [about, *_table(rows)]


def _hmc(found: Mapping[str, Any]) -> list[str]:
    about = f"The estimator of the AEVB paper (appendix D), on {found['num_examples']} examples."
    return [about, *_table([("log p(x), Hamiltonian", found)])]


def _representation(found: Mapping[str, Any]) -> list[str]:
    names = {
        "linear_probe": "linear probe",
        "nearest_neighbors": f"{found['k']} nearest neighbours",
        "most_frequent": "always the most frequent label",
    }
    lines = [
        "## Representation",
        "",
        f"Labels predicted from E[z|x], by classifiers trained on {found['num_train']} examples.",
        "",
    ]
    lines += ["| classifier | accuracy | ± |", "| --- | ---: | ---: |"]
    return lines + [
        f"| {title} | {found[name]['mean']:.4f} | {found[name]['standard_error']:.4f} |"
        for name, title in names.items()
    ]


def _prior(found: Mapping[str, Any]) -> list[str]:
    prior, mixture = found["prior_accuracy"], found["mixture_accuracy"]
    return [
        "## Prior and aggregated posterior",
        "",
        f"A classifier distinguishes samples of the prior from encodings with accuracy {prior['mean']:.3f} ± "
        f"{prior['standard_error']:.3f}, and samples of {found['num_components']} normals fitted to them with "
        f"{mixture['mean']:.3f} ± {mixture['standard_error']:.3f}; 0.5 means no difference.",
    ]


def _gradients(found: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Gradients",
        "",
        f"On a batch of {found['batch_size']}, over {found['num_repeats']} draws; ± is one standard error over them.",
        "",
    ]
    return lines + noise_table(found["rows"])


_SECTIONS = {
    "diagnostics": _diagnostics,
    "inference_gaps": _gaps,
    "log_marginal_ais": _ais,
    "bidirectional_ais": _both,
    "log_marginal_hmc": _hmc,
    "representation": _representation,
    "prior_vs_posterior": _prior,
    "gradient_variance": _gradients,
}

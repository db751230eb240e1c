"""Model card of a run: what a model is, how it was made, how good it is, and what it is for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfvae.evaluation.report import report_notes, rows
from tfvae.export.manifest import write_card
from tfvae.parts import described
from tfvae.training.run_folder import RunFolder

_PARTS = {
    "posterior q(z given x)": ("model", "posterior"),
    "likelihood p(x given z)": ("model", "likelihood"),
    "prior p(z)": ("model", "prior"),
    "latent dimensions": ("model", "latent_size"),
    "network": ("model", "network"),
    "estimator": ("training", "estimator"),
    "weight of the KL": ("training", "beta"),
    "optimizer": ("training", "optimizer"),
    "epochs": ("training", "epochs"),
    "batch size": ("training", "batch_size"),
    "seed": ("training", "seed"),
}


def model_card(folder: RunFolder, report: Mapping[str, Any]) -> str:
    """Returns the card of a run as Markdown. It shows figures as `figures/NAME.png`.

    Args:
        folder: Run folder.
        report: Content of `report.json`.
    """
    config = report["config"]
    environment = json.loads(folder.environment.read_text("utf-8")) if folder.environment.is_file() else {}
    choices = [choice for choice in report.get("choices", []) if choice["name"] != "network"]
    lines = [
        f"# Model card: {report['title']}",
        "",
        f"A variational autoencoder with {report['num_parameters']:,} weights.",
        "",
        "## Intended use",
        "",
        "*To be written: what the model is for, who should use it, and for what it must not be used.*",
        "",
        "## Data",
        "",
        *(f"- {choice['name']}: {choice['value']}" for choice in choices),
        "",
        report["note"],
        "",
        "## Model",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {described(config[table].get(key, ''))} |" for name, (table, key) in _PARTS.items()),
        "",
        "## Quality",
        "",
        f"Measured on {report['elbo']['num_examples']:,} examples of {report['split']}.",
        "",
        "| quantity | value ± examples | ± draws | unit |",
        "| --- | ---: | ---: | --- |",
        *(f"| {name.strip()} | {' | '.join(cells)} |" for name, *cells in rows(report)),
        "",
        *report_notes(report),
        "## How it was made",
        "",
        *_origin(environment),
    ]
    lines += [line for name in figures_of(folder) for line in ("", f"![{name.replace('_', ' ')}](figures/{name}.png)")]
    return "\n".join(lines) + "\n"


def figures_of(folder: RunFolder) -> dict[str, bytes]:
    """Returns the figures of a run by name."""
    return {path.stem: path.read_bytes() for path in sorted(folder.figures.glob("*.png"))}


def add_card(exported: Path, folder: RunFolder, report: Mapping[str, Any]) -> Path:
    """Writes the card of a run into an exported model. Returns its path."""
    return write_card(exported, model_card(folder, report), figures_of(folder))


def _origin(environment: Mapping[str, Any]) -> list[str]:
    packages = ", ".join(f"{name} {version}" for name, version in environment.get("packages", {}).items())
    entries = {
        "command": f"`{' '.join(environment.get('command', []))}`",
        "tfvae": environment.get("tfvae"),
        "commit": environment.get("commit"),
        "packages": packages,
        "Python": environment.get("python"),
        "started": environment.get("started"),
    }
    known = [f"- {name}: {value}" for name, value in entries.items() if value not in (None, "", "``")]
    return known or ["- unknown"]

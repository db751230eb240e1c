"""Claims, tables and settings of the experiment."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfvae.papers.curves import Curve
from tfvae.papers.nalisnick_2017 import models
from tfvae.papers.nalisnick_2017.budgets import Budget
from tfvae.papers.nalisnick_2017.models import GAUSSIAN, KUMARASWAMY, ROWS
from tfvae.papers.result import Claim, Setting

NEIGHBORS = (3, 5, 10)
_TOLERANCE = 1.5  # nats from the published number
_MOST_ERROR = 10.0  # per cent, for the Kumaraswamy posterior and 5 neighbours


def claims_of(last: Mapping[str, Mapping[str, Any]], *, is_quick: bool) -> list[Claim]:
    """Returns the claims of the paper that the last measurements of all posteriors can decide."""
    nll = {name: point["negative_log_likelihood"] for name, point in last.items()}
    errors = {name: point["errors_of_draws"]["5"] for name, point in last.items()}
    published = ROWS[1].negative_log_likelihood
    of_both = [
        Claim(
            "The error of 5 nearest neighbours among draws is less than half as large with the Kumaraswamy posterior "
            "as with the Gaussian one.",
            errors[KUMARASWAMY] < errors[GAUSSIAN] / 2,
            f"{errors[KUMARASWAMY]:.2f} and {errors[GAUSSIAN]:.2f} per cent.",
        ),
        Claim(
            "The Gaussian model has the best likelihood.",
            all(nll[GAUSSIAN] < value for name, value in nll.items() if name != GAUSSIAN),
            ", ".join(f"{name}: {value:.2f}" for name, value in nll.items()) + " nats.",
        ),
    ]
    if is_quick:
        return of_both
    return [
        Claim(
            f"-log p(x) with the Kumaraswamy posterior is within {_TOLERANCE} nats of the published {published:.2f}.",
            abs(nll[KUMARASWAMY] - published) <= _TOLERANCE,
            f"{nll[KUMARASWAMY]:.2f} ± {last[KUMARASWAMY]['standard_error']:.2f} nats.",
        ),
        Claim(
            f"Its error of 5 nearest neighbours is at most {_MOST_ERROR:g} per cent.",
            errors[KUMARASWAMY] <= _MOST_ERROR,
            f"{errors[KUMARASWAMY]:.2f} per cent; published {ROWS[1].errors[1]:.2f}.",
        ),
        *of_both,
    ]


def likelihood_table(found: Mapping[str, Curve]) -> str:
    """Returns -log p(x), the ELBO and the number of shares in use as a table."""
    lines = [
        "| posterior | -log p(x) | published | -ELBO | exp(entropy) of the mean shares | shares with 99 % "
        "| training time |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in ROWS:
        curve = found[row.name]
        last = curve.points[-1]
        used = last["effective_dimensions"]
        used = (f"{used['perplexity']:.1f}", str(used["num_covering"])) if isinstance(used, Mapping) else ("", "")
        lines.append(
            f"| {row.name} | {last['negative_log_likelihood']:.2f} ± {last['standard_error']:.2f} "
            f"| {row.negative_log_likelihood:.2f} | {-last['elbo']:.2f} | {used[0]} | {used[1]} "
            f"| {curve.seconds / 60:,.0f} min |"
        )
    return "\n".join(lines)


def neighbors_table(last: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the errors of nearest neighbours as a table."""
    lines = ["| latents | " + " | ".join(f"k = {k}" for k in NEIGHBORS) + " |", "| --- |" + " ---: |" * len(NEIGHBORS)]

    def line(name: str, values: Sequence[float]) -> None:
        lines.append(f"| {name} | " + " | ".join(f"{value:.2f}" for value in values) + " |")

    for row in ROWS:
        line(f"{row.name}, draws", list(last[row.name]["errors_of_draws"].values()))
        if row.errors:
            line(f"{row.name}, published", row.errors)
    for row in ROWS:
        line(f"{row.name}, means", list(last[row.name]["errors_of_means"].values()))
    return "\n".join(lines)


def settings_of(budget: Budget) -> list[Setting]:
    """Returns the setup of the experiment."""
    return [
        Setting("", "data", "tfvae.data.load", "mnist, gray values"),
        Setting("", "training images", "Budget.num_train", f"{budget.num_train:,}"),
        Setting("", "test images", "Budget.num_test", f"{budget.num_test:,}"),
        Setting("K", "shares, dimensions of the Gaussian model", "NUM_SHARES", str(models.NUM_SHARES)),
        Setting("alpha0", "concentration of the prior", "ALPHA0", f"{models.ALPHA0:g}"),
        Setting("", "hidden units of encoder and decoder", "HIDDEN", str(models.HIDDEN)),
        Setting("", "activation", "ACTIVATION", models.ACTIVATION),
        Setting("", "minibatch", "BATCH_SIZE", str(models.BATCH_SIZE)),
        Setting("", "passes", "Budget.num_passes", str(budget.num_passes)),
        Setting("", "first learning rate of Adam, share at the end", "LEARNING_RATE, LAST_SHARE",
                f"{models.LEARNING_RATE:g}, {models.LAST_SHARE:g}"),
        Setting("", "importance samples of log p(x)", "num_importance_samples", f"{budget.num_importance_samples:,}"),
    ]  # fmt: skip

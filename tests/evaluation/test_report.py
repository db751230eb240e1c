"""The report for people: every number has its error or says that it is exact, and what is not to be trusted says so."""

import json

import numpy as np
import pytest
from gaussian_vaes import gaussian_vae
from linear_gaussian import make_linear_gaussian

from tfvae import evaluation
from tfvae._activity import collapse
from tfvae.evaluation import GradientNoise
from tfvae.evaluation.report import collapse_warning, report_dict, report_markdown, rows

MODEL = make_linear_gaussian(latent_size=2, data_size=4, sigma=0.9)
X = MODEL.data(40, seed=3).astype("float32")
LABELS = np.arange(40) % 2


@pytest.fixture(scope="module")
def vae():
    """An encoder that is too narrow in one dimension, and tells nothing in it."""
    gain = 0.8 * MODEL.posterior_weights * [[1.0], [0.0]]
    return gaussian_vae(MODEL, gain, np.array([0.1, -0.2]), np.array([0.5, 0.1]))


def made(vae, k=200, num_samples=3, more=()):
    elbo = evaluation.elbo(vae, X, num_samples=num_samples)
    log_marginal = evaluation.log_marginal(vae, X, num_importance_samples=k)
    about = {
        "active_units": evaluation.active_units(vae, X).to_dict(),
        "title": "oracle",
        "split": "oracle/test",
        "num_parameters": 7,
        "epochs": 1,
        "training_seconds": 2.0,
        "note": "The data are continuous.",
        **dict(more),
    }
    report = report_dict(elbo, log_marginal, evaluation.bits_per_dim(log_marginal, 4), about)
    return json.loads(json.dumps(report, allow_nan=False))


def tables(markdown):
    """The rows of all tables, cell by cell, without their titles."""
    lines = [line.replace("\\|", "/") for line in markdown.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [cells for i, cells in enumerate(found) if not set("".join(cells)) <= set("-:") and not is_title(found, i)]


def is_title(found, i):
    return i + 1 < len(found) and set("".join(found[i + 1])) <= set("-:")


@pytest.mark.filterwarnings("ignore:log_marginal is unreliable")
def test_the_first_table(vae):
    report = made(vae)
    numbers = {name.strip(): cells for name, *cells in rows(report)}
    elbo = evaluation.elbo(vae, X, num_samples=3)
    for name, per_example in (("log-likelihood", elbo.details["log_likelihood"]), ("KL", elbo.details["kl"])):
        value, error = per_example.mean(), per_example.std(ddof=1) / np.sqrt(40)
        assert numbers[name][0] == f"{value:.3f} ± {error:.3f}"
    assert numbers["KL"][1] == "exact"
    assert float(numbers["log-likelihood"][1]) > 0.0
    assert float(numbers["bits per dimension"][1]) > 0.0
    assert numbers["active units"][0] == "1 of 2, 0 uncertain"
    few = {name.strip(): cells for name, *cells in rows(made(vae, k=10, num_samples=1))}
    assert few["test ELBO"][1] == "unknown"
    assert few["KL"][1] == "exact"
    assert few["unreliable log p(x)"][0] == "unknown: 10 importance samples are too few"


@pytest.mark.filterwarnings("ignore:log_marginal is unreliable")
def test_shares_in_use(vae):
    shares = evaluation.EffectiveDimensions(np.array([0.5, 0.25, 0.25]), 2.83, 2.0, 3, 0.99)
    report = made(vae, more={"effective_dimensions": shares.to_dict()})
    numbers = {name.strip(): cells for name, *cells in rows(report)}
    assert numbers["shares in use"][0] == "2.8 of 3"
    assert numbers["with 99% of the mass"][0] == "3"
    assert "exp of the entropy" in report_markdown(report, [])
    assert "shares" not in report_markdown(made(vae), [])


@pytest.mark.filterwarnings("ignore:log_marginal is unreliable")
def test_unreliable_estimates_are_reported(vae):
    report = made(vae)
    num_above = report["log_marginal"]["num_above_threshold"]
    assert num_above > 10
    markdown = report_markdown(report, [])
    assert f"| unreliable log p(x) | {num_above} of 40 examples |" in markdown
    assert f"log p(x) is unreliable for {num_above} of 40 examples: the Pareto shape k" in markdown
    before = vae.get_weights()
    fine = gaussian_vae(MODEL, 0.8 * MODEL.posterior_weights, np.array([0.1, -0.2]), np.array([0.9, 0.9]))
    vae.set_weights(fine.get_weights())
    few, markdown = made(vae, k=10), report_markdown(made(vae), [])
    vae.set_weights(before)
    assert "| unreliable log p(x) | 0 of 40 examples |" in markdown
    assert "is unreliable" not in markdown
    assert "10 importance samples are too few to tell" in report_markdown(few, [])


@pytest.mark.filterwarnings("ignore:log_marginal is unreliable")
def test_draws_that_are_not_those_of_the_posterior_are_named(vae):
    report = made(vae, k=10)
    assert "another distribution than" not in report_markdown(report, [])
    report["log_marginal"]["proposal"] = "HamiltonianELBO()"
    assert "measured with the draws of HamiltonianELBO(), which have another" in report_markdown(report, [])


def test_a_collapse_is_said_first(vae):
    message = "Posterior collapse: 0 of 20 latent units are active."
    report = made(vae, k=10, more={"collapse": {"has_collapsed": True, "message": message}})
    markdown = report_markdown(report, [])
    assert markdown.index(f"**{message} From the shell, try `--beta 0.2`") < markdown.index("| quantity |")
    report["collapse"]["has_collapsed"] = False
    assert message not in report_markdown(report, [])
    assert collapse_warning(made(vae, k=10)) is None  # of an earlier version


def record(name, variance=0.01, about=()):
    values = np.random.default_rng(len(name)).normal(size=5)
    return evaluation.Record(name, "nats", values, np.full(5, variance), dict(about))


def examined():
    """What a thorough evaluation adds, of records made up here."""
    importance = {
        "num_importance_samples": 50,
        "num_above_threshold": 2,
        "pareto_k_threshold": 0.4,
        "pareto_k_max": 0.9,
    }
    gaps = {name: record(name) for name in ("elbo", "elbo_refined_diagonal", "elbo_refined_full")}
    gaps |= {name: record(name) for name in ("amortization_gap", "approximation_gap", "approximation_gap_full")}
    units = evaluation.ActiveUnits(np.array([0.5, 0.012]), np.array([0.1, 0.002]), np.array([True, True]))
    sure = evaluation.Accuracy(30, 40)
    diagnosed = evaluation.Diagnostics(
        rate=record("rate", 0.0, {"exact": True}),
        distortion=record("distortion"),
        bits_per_dim=record("bits_per_dim"),
        mutual_information=record("mutual_information", about={"num_examples_in_mixture": 5, "upper_bound": 1.6}),
        aggregated_kl=record("aggregated_kl"),
        kl_per_dimension=evaluation.DimensionKLs.of(np.ones((5, 2)), np.zeros((5, 2)), "closed form"),
        active_units=units,
        collapsed=False,
        message=collapse(1.4, (2, 2), 0.04)[1],
    )
    gradients = np.random.default_rng(1).normal(size=(9, 3)) + 1.0
    m = gradients.mean(axis=0)
    noise = GradientNoise.of("B", "encoder", 3, float(m @ m), np.sum((gradients - m) ** 2, axis=1), gradients @ m)
    chains = {"num_chains": 2, "num_steps": 3, "start": "prior"}
    return {
        "diagnostics": diagnosed.to_dict(),
        "inference_gaps": evaluation.InferenceGaps(
            family="diagonal", log_marginal=record("log_marginal", about=importance), **gaps
        ).to_dict(),
        "log_marginal_ais": record("log_marginal_ais", about=chains).to_dict(),
        "bidirectional_ais": {
            "lower": record("lower").to_dict(),
            "upper": record("upper", np.nan).to_dict(),
            "gap": record("gap", np.nan).to_dict(),
        },
        "log_marginal_hmc": record("log_marginal_hmc").to_dict(),
        "representation": evaluation.Representation(sure, sure, sure, 5, 40).to_dict(),
        "gradient_variance": evaluation.GradientVariance((noise,), 9, 4).to_dict(),
    }


@pytest.mark.filterwarnings("ignore:log_marginal is unreliable")
def test_no_number_stands_alone(vae):
    markdown = report_markdown(made(vae, more=examined()), ["reconstructions"])
    found = tables(markdown)
    assert len(found) > 25
    without = {"unreliable log p(x)", "active units"}  # counts
    for cells in found:
        assert all(cells) or cells[0] in without, cells
    above = next(cells for cells in found if cells[0] == "upper bound")
    assert above[3] == "unknown"
    assert "the effect of other draws is part of their ± over examples" in markdown
    assert "The approximation gaps depend on it" in markdown
    assert "the rate is" in markdown
    assert " ± " in next(line for line in markdown.splitlines() if "the rate is" in line)
    assert "2 of 2 units are active" in markdown
    assert "1 are uncertain" in markdown
    (noise,) = [cells for cells in found if cells[0] == "B"]
    assert all(float(cell) > 0.0 for cell in noise[2:])


def test_units_near_the_threshold_are_uncertain():
    units = evaluation.ActiveUnits(
        np.array([0.5, 0.012, 0.009, 0.001]), np.array([0.1, 0.002, 0.0004, 0.0001]), np.array([1, 1, 0, 0], bool)
    )
    assert units.num_uncertain == 1
    assert units.to_dict()["num_uncertain"] == 1

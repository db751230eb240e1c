"""The runs that the file of a sweep stands for."""

import sys

import pytest

from tfvae import sweeps
from tfvae.sweeps import read_plan
from tfvae.sweeps.space import Range

BASE = '[data]\nname = "digits"\n[training]\nepochs = 2\n'


@pytest.fixture
def plan_of(tmp_path):
    def plan_of(text, base=BASE):
        path = tmp_path / "sweep.toml"
        path.write_text(base + text)
        return read_plan(path)

    return plan_of


def test_a_list_of_rows_with_seeds(plan_of):
    plan = plan_of(
        "[sweep]\nseeds = [3, 5]\n"
        '[[runs]]\nname = "VAE"\n'
        '[[runs]]\ntraining.estimator = {kind = "iwae", num_importance_samples = 5}\n'
    )
    assert plan.variants == ("VAE", "estimator=iwae(num_importance_samples=5)")
    assert [(run.variant, run.seed) for run in plan.runs] == [(v, s) for s in (3, 5) for v in plan.variants]
    assert plan.runs[1].config.training.estimator == {"kind": "iwae", "num_importance_samples": 5}
    assert {run.config.training.seed for run in plan.runs} == {3, 5}
    assert len({run.folder for run in plan.runs}) == 4


def test_a_grid_is_every_combination(plan_of):
    plan = plan_of('[grid]\nmodel.latent_size = [2, 5]\n"training.beta" = [1.0, 4.0]\n')
    assert plan.variants == (
        "latent_size=2, beta=1",
        "latent_size=2, beta=4",
        "latent_size=5, beta=1",
        "latent_size=5, beta=4",
    )
    assert [(run.config.model.latent_size, run.config.training.beta) for run in plan.runs] == [
        (2, 1.0),
        (2, 4.0),
        (5, 1.0),
        (5, 4.0),
    ]


def test_random_draws_are_those_of_their_seed(plan_of):
    text = (
        "[random]\nnum_runs = 40\nseed = {}\ntraining.learning_rate = {{low = 1e-4, high = 1e-2, log = true}}\n"
        'model.latent_size = {{low = 2, high = 4}}\nmodel.posterior = ["diag", "tril"]\n'
    )
    configs = [run.config for run in plan_of(text.format(1)).runs]
    assert configs == [run.config for run in plan_of(text.format(1)).runs]
    assert configs != [run.config for run in plan_of(text.format(2)).runs]
    rates = [config.training.learning_rate for config in configs]
    assert min(rates) >= 1e-4
    assert max(rates) <= 1e-2
    assert 10 <= sum(rate < 1e-3 for rate in rates) <= 30, "half of the draws are below the geometric mean"
    assert {config.model.latent_size for config in configs} == {2, 3, 4}
    assert {config.model.posterior for config in configs} == {"diag", "tril"}


def test_a_search_has_ranges_choices_and_parts(plan_of):
    search = plan_of(
        "[sweep]\nseeds = 2\n[optuna]\nnum_trials = 9\nsampler = {kind = 'tpe', n_startup_trials = 4}\n"
        "training.learning_rate = {low = 1e-4, high = 1e-2, log = true}\n"
        'model.prior = ["standard_normal", {kind = "vamp", num_components = 3}]\n'
    ).search
    assert (search.num_trials, search.seeds, search.seed) == (9, (0, 1), 0)
    assert search.sampler == {"kind": "tpe", "n_startup_trials": 4, "n_ei_candidates": 24}
    assert search.pruner["kind"] == "median"
    settings = search.settings({"training.learning_rate": 0.00123456, "model.prior": "vamp(num_components=3)"})
    assert settings == {"training.learning_rate": 0.001235, "model.prior": {"kind": "vamp", "num_components": 3}}
    first, second = search.runs(7, settings)
    assert first.variant == second.variant == "trial 7: learning_rate=0.001235, prior=vamp(num_components=3)"
    assert (second.seed, second.folder.as_posix()) == (1, "runs/trial-007/seed-1")
    assert second.config.training.learning_rate == 0.001235
    assert Range(2, 5).value(3) == 3
    assert Range(0.1, 0.123456).value(0.123456) == 0.123456, "not above the bound"


def test_without_optuna_a_search_says_how_to_install_it(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "optuna"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("search", "search_results", "trials", "open_trial"):
        monkeypatch.delitem(sys.modules, f"tfvae.sweeps.{name}", raising=False)
        monkeypatch.delattr(sweeps, name, raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    file = tmp_path / "sweep.toml"
    file.write_text(BASE + "[optuna]\nmodel.latent_size = {low = 2, high = 5}\n")
    with pytest.raises(ValueError, match=r"\[optuna\] needs optuna, which is not installed.*'tfvae\[sweep\]'"):
        sweeps.run_sweep(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_rows_the_seeds_alone_vary(plan_of):
    plan = plan_of("[sweep]\nseeds = 3\n")
    assert [run.seed for run in plan.runs] == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[grids]\n", r"Unknown table \[grids\]"),
        ('[grid]\nmodel.prior = "vamp"\n', r"\[grid\] needs a list of values for model.prior"),
        ('[grid]\nmodel.prior = ["vmap"]\n', r"row 'prior=vmap': model.prior must be one of.*Did you mean 'vamp'"),
        ('[grid]\nmodel.latent_size = [2]\n[[runs]]\nname = "a"\n', "in one of .*Received: grid, runs"),
        ('[[runs]]\nname = "a"\n[[runs]]\nname = "a"\n', "Each row of a sweep needs its own name"),
        ("[sweep]\nseeds = 0\n", "sweep.seeds must be"),
        ("[sweep]\nseeds = [1, 1]\n", "sweep.seeds must be"),
        ("[sweep]\nseed = 1\n", "Unknown setting sweep.seed"),
        ("seed = 3\n", r"training.seed of a sweep is set by its seeds. .* leave it out of \[training\]"),
        ("[grid]\ntraining.seed = [1, 2]\n", "leave it out of row 'seed=1'"),
        ("[[runs]]\nname = 3\n", "The name of a row must be text. Received: name=3"),
        ("[random]\nnum_runs = true\ntraining.beta = [1.0]\n", "needs num_runs, an integer of at least 1"),
        (
            "[random]\ntraining.beta = {low = 1.0, high = 2.0, log = 'yes'}\n",
            "needs a list of values for training.beta",
        ),
        ("[random]\nmodel.latent_size = {low = 5, high = 2}\n", r"\[random\] needs .* for model.latent_size"),
        ("[random]\nnum_runs = 0\n", r"\[random\] needs num_runs"),
        ("[[runs]]\nmodel.latent_sise = 3\n", "Unknown setting model.latent_sise"),
        ("[optuna]\nnum_trials = 0\n", r"\[optuna\] needs num_trials"),
        ("[optuna]\nnum_trials = 3\n", r"\[optuna\] needs at least one setting to search"),
        ('[optuna]\nsamplr = "tpe"\n', r"no setting samplr\. Did you mean 'sampler'\?"),
        ('[optuna]\nsampler = "tpee"\nmodel.latent_size = [2]\n', r"optuna\.sampler must be one of .*'tpe'"),
        ('[optuna]\npruner = {kind = "median", n = 1}\nmodel.latent_size = [2]\n', r"optuna\.pruner\.n is not an arg"),
        ('[optuna]\nmodel.prior = ["vmap"]\n', r"\[optuna\] model\.prior: .*Did you mean 'vamp'"),
        ("[optuna]\nmodel.latent_size = {low = -2, high = 3}\n", r"\[optuna\] model\.latent_size: "),
        ("[optuna]\nmodel.latent_size = [2, 2]\n", "latent_size has a value twice"),
    ],
)
def test_a_slip_is_one_error_that_names_it(plan_of, text, message):
    with pytest.raises(ValueError, match=message):
        plan_of(text)

#!/usr/bin/env bash
# Optuna: a study that is resumed with the same seeded sampler draws the parameters of its first trials again.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare optuna==5.0.0 sqlalchemy==2.1.9 numpy==2.4.6
run <<'PY'
import optuna

from finding import done, seen

optuna.logging.set_verbosity(optuna.logging.ERROR)
for sampler in (optuna.samplers.RandomSampler, optuna.samplers.TPESampler):
    name, draws = sampler.__name__, []
    for _ in range(2):  # the program is started, ends, and is started again
        study = optuna.create_study(
            storage="sqlite:///study.db", study_name=name, sampler=sampler(seed=0), load_if_exists=True
        )
        study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=3)
    draws = [round(trial.params["x"], 4) for trial in study.trials]
    seen(
        f"{name}: six trials with six different values",
        f"{draws}",
        len(draws) == 6 and draws[:3] == draws[3:],
    )
done()
PY

#!/usr/bin/env bash
# Optuna: an infinite objective is a complete trial and the best one, where NaN is a failed trial.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare optuna==5.0.0 sqlalchemy==2.1.9 numpy==2.4.6
run <<'PY'
import math

import optuna

from finding import done, seen

optuna.logging.set_verbosity(optuna.logging.ERROR)
for direction, infinite in (("maximize", math.inf), ("minimize", -math.inf)):
    study = optuna.create_study(direction=direction)
    for value in (1.0, math.nan, infinite, 2.0):
        study.tell(study.ask(), value)
    states = [trial.state.name for trial in study.trials]
    seen(
        f"{direction}: a diverged trial fails, whether its objective is NaN or {infinite}; the best value is finite",
        f"states {states}, best value {study.best_value}",
        states == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"] and study.best_value == infinite,
    )
done()
PY

#!/usr/bin/env bash
# Optuna: a journal file whose last line is incomplete is loaded without a word, and is unreadable after the next trial.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare optuna==5.0.0 sqlalchemy==2.1.9 numpy==2.4.6
run <<'PY'
import os

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from finding import done, seen

optuna.logging.set_verbosity(optuna.logging.ERROR)


def study():
    storage = JournalStorage(JournalFileBackend("journal.log"))
    return optuna.create_study(storage=storage, study_name="study", load_if_exists=True)


def outcome(action):
    try:
        return f"{action()}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def optimize():
    study().optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=2)
    return "two more trials"


def num_trials():
    return f"{len(study().trials)} trials"


optimize()
os.truncate("journal.log", os.path.getsize("journal.log") - 5)  # a power cut, or a full disk
loaded, went_on, *later = outcome(num_trials), outcome(optimize), outcome(optimize), outcome(num_trials)
seen(
    "the study goes on without its last line (the documentation: it can be re-established if the database crashes)",
    f"{loaded} are loaded; going on: {went_on}; once more: {later[0]}; loading: {later[1]}",
    loaded == "2 trials" and "Error" in went_on and all("Error" in each for each in later),
)
done()
PY

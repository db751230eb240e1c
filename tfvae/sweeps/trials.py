"""The trials of a sweep by Optuna, in a file of its folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL

from tfvae.parts.building import build
from tfvae.sweeps.open_trial import OpenTrial
from tfvae.sweeps.search_plan import SearchPlan

_FILE = "optuna.db"
_NAME = "sweep"
_RETRY_OF = "retry_of"


class Trials:
    """The trials in the folder of a sweep.

    They are in an SQLite database, which a process that is killed cannot damage.

    Args:
        search: What the file of the sweep says.
        folder: Folder of the sweep.

    Raises:
        ValueError: If a part cannot be made, or the folder contains the trials of another sweep.
    """

    def __init__(self, search: SearchPlan, folder: Path):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._search = search
        self._folder = folder
        self._storage = optuna.storages.RDBStorage(
            URL.create("sqlite", database=str(folder / _FILE)).render_as_string()
        )
        self.study = optuna.create_study(
            storage=self._storage,
            study_name=_NAME,
            direction="maximize",
            load_if_exists=True,
            sampler=_sampler(search, 0),
            pruner=build(search.pruner, "optuna.pruner"),
        )
        if self.study.user_attrs.setdefault("identity", search.identity) != search.identity:
            raise ValueError(
                f"{folder} contains trials with other settings, ranges or seeds than the file says. Choose another "
                "folder with --sweep-dir. Nothing was changed."
            )
        self.study.set_user_attr("identity", search.identity)

    @classmethod
    def exist(cls, folder: Path) -> bool:
        """Whether a folder has trials."""
        return (folder / _FILE).exists()

    def current(self) -> list[FrozenTrial]:
        """Returns the trials without failed ones that have been retried."""
        trials = self.study.get_trials(deepcopy=False)
        retried = {trial.user_attrs.get(_RETRY_OF) for trial in trials}
        return [trial for trial in trials if trial.number not in retried]

    def retry_failed(self) -> None:
        """Lets failed trials be repeated with the same settings."""
        for trial in self.current():
            if trial.state == TrialState.FAIL:
                self.study.enqueue_trial(trial.params, user_attrs={_RETRY_OF: trial.number})

    def num_waiting(self) -> int:
        """Returns how many trials wait for being repeated."""
        return sum(trial.state == TrialState.WAITING for trial in self.current())

    def num_missing(self) -> int:
        """Returns how many trials are to be begun."""
        num_waiting = self.num_waiting()
        return num_waiting + max(0, self._search.num_trials - len(self.current()))

    def interrupted(self) -> Iterator[OpenTrial]:
        """Yields the trials that an interrupted sweep has begun."""
        for trial in self.current():
            if trial.state == TrialState.RUNNING:
                self._seed(trial.number, len(trial.params))
                study_id = self._storage.get_study_id_from_name(_NAME)
                trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)
                yield self._opened(optuna.trial.Trial(self.study, trial_id))

    def begin(self) -> OpenTrial:
        """Returns a new trial, whose settings the sampler chooses."""
        self._seed(len(self.study.get_trials(deepcopy=False)))
        return self._opened(self.study.ask())

    def _seed(self, number: int, num_known: int = 0) -> None:
        """Makes the sampler of a trial.

        With one sampler for all trials, a sweep that goes on would draw again what it has drawn at its start. With one
        for each, it draws what it would have drawn without the interruption.
        """
        self.study.sampler = _sampler(self._search, number, num_known)

    def _opened(self, trial: optuna.trial.Trial) -> OpenTrial:
        """Chooses the settings that a trial lacks. Those that do not fit together are those of a failed trial."""
        for setting, each in self._search.space.items():
            each.suggest(trial, setting)
        try:
            return OpenTrial(trial, self._search.runs(trial.number, self._search.settings(trial.params)), self._folder)
        except ValueError as error:
            return OpenTrial(trial, (), self._folder, failure=str(error))


def check_parts(search: SearchPlan) -> None:
    """Raises ValueError if the sampler or the pruner cannot be made."""
    _sampler(search, 0)
    build(search.pruner, "optuna.pruner")


def _sampler(search: SearchPlan, number: int, num_known: int = 0) -> Any:
    """Makes the sampler of a trial.

    Args:
        search: What the file of the sweep says.
        number: Number of the trial.
        num_known: Number of its settings that have been chosen already.
    """
    trial_seed = np.random.SeedSequence((search.seed, number, num_known)).generate_state(1)
    return build(search.sampler, "optuna.sampler", seed=search.seed, trial_seed=int(trial_seed[0]))

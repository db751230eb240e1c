"""The weight of the KL in a run: a number, a schedule or a weighting."""

from typing import Any

from tfvae.callbacks import BetaSchedule
from tfvae.parts import is_part, kinds, part_of
from tfvae.parts.building import build


def number_or_weighting(beta: Any) -> Any:
    """Returns the argument `beta` of the model. A schedule begins with the first step."""
    if not is_part(beta):
        return beta
    return 1.0 if _is_schedule(beta) else build(beta, "training.beta")


def schedule_callbacks(beta: Any) -> list[BetaSchedule]:
    """Returns the callback of a schedule, in a list that is empty for a number or a weighting."""
    if not is_part(beta) or not _is_schedule(beta):
        return []
    return [BetaSchedule(build(beta, "training.beta"))]


def _is_schedule(beta: Any) -> bool:
    return part_of(beta, "training.beta")[0] in kinds.SCHEDULES

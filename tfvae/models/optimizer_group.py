"""Group of several optimizers for one model."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

from tfvae._serialization import register


@register
class OptimizerGroup(keras.optimizers.Optimizer):
    """Optimizers of a model whose objective has several updates, one per update.

    `compile(optimizer={"model": "adam", "discriminator": "sgd"})` creates it. Keras builds, saves and loads it as a
    single optimizer. Its learning rate is that of the first member.

    Args:
        members: Optimizers by the name of the update.
        name: Name of the group.
    """

    built: bool

    def __init__(self, members: Mapping[str, Any], name: str = "optimizer_group"):
        super().__init__(learning_rate=0.0, name=name)
        self.members = {key: keras.optimizers.get(member) for key, member in members.items()}
        self._variables_of: dict[str, list[Any]] = {}

    def __getitem__(self, name: str) -> keras.optimizers.Optimizer:
        """Returns the optimizer of an update."""
        return self.members[name]

    def __iter__(self) -> Iterator[keras.optimizers.Optimizer]:
        """Iterates over the optimizers."""
        return iter(self.members.values())

    def build(self, variables: Mapping[str, Sequence[Any]]) -> None:
        """Builds each optimizer for its variables, given by name."""
        if self.built:
            return
        for name, member in self.members.items():
            self._variables_of[name] = list(variables[name])
            member.build(self._variables_of[name])
        self.built = True

    @property
    def variables(self) -> list[Any]:
        """The number of steps and the variables of all members."""
        return [*self._variables, *(variable for member in self for variable in member.variables)]

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the first member."""
        return next(iter(self)).learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        next(iter(self)).learning_rate = value

    def finalize_variable_values(self, var_list: Any) -> None:
        """Sets variables to their moving averages for members with `use_ema=True`."""
        for name, member in self.members.items():
            member.finalize_variable_values(self._variables_of.get(name, []))

    def save_own_variables(self, store: Any) -> None:
        """Saves the number of steps. Keras saves the members separately."""
        store["0"] = self._iterations.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Loads the number of steps."""
        self._iterations.assign(store["0"])

    def get_config(self) -> dict[str, Any]:
        members = {key: keras.saving.serialize_keras_object(member) for key, member in self.members.items()}
        return {"members": members, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "OptimizerGroup":
        members = {
            key: keras.saving.deserialize_keras_object(member, custom_objects=custom_objects)
            for key, member in config["members"].items()
        }
        return cls(members, name=config["name"])


def as_optimizer(optimizer: Any, names: Sequence[str], *, scale_losses: bool) -> Any:
    """Returns the optimizer with which Keras compiles a model.

    Args:
        optimizer: Argument of `compile`: a Keras optimizer, its name or configuration, or a dictionary of these by the
            names of updates.
        names: Names of the updates that have variables.
        scale_losses: Whether each member of a group scales its loss, for float16.

    Returns:
        The optimizer of a single update, or an `OptimizerGroup` for several updates. One optimizer for several updates
        is copied for each.

    Raises:
        ValueError: If the names of the optimizers are not those of the updates.
    """
    if isinstance(optimizer, OptimizerGroup):
        given: Mapping[str, Any] = optimizer.members
    elif isinstance(optimizer, Mapping) and "class_name" not in optimizer:
        given = {name: keras.optimizers.get(member) for name, member in optimizer.items()}
    elif len(names) == 1:
        return optimizer
    else:
        one = keras.optimizers.get(optimizer)
        given = {name: type(one).from_config(one.get_config()) for name in names}
    if set(given) != set(names):
        raise ValueError(
            "`compile` needs one optimizer for each update of the objective. Expected names: "
            f"{sorted(names)}. Received: optimizer with the names {sorted(given)}"
        )
    if len(names) == 1:
        return given[names[0]]
    if isinstance(optimizer, OptimizerGroup) and not scale_losses:
        return optimizer
    return OptimizerGroup({name: _scaling(given[name]) if scale_losses else given[name] for name in names})


def _scaling(optimizer: Any) -> Any:
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)


def members_of(optimizer: Any) -> list[Any]:
    """Returns the optimizers of a group, or a list of the single optimizer."""
    return list(optimizer) if isinstance(optimizer, OptimizerGroup) else [optimizer]

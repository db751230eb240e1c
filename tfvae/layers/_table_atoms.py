"""Distributions of numbers, some of which are repeated often."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers._codes import Codes
from tfvae.layers._reduced import any_over, sum_over
from tfvae.layers._same_shape import SameShape
from tfvae.layers._table_codes import shares_of
from tfvae.layers._table_padding import PaddedParameters, for_rows
from tfvae.layers._table_part import Part, Scales
from tfvae.layers._table_statistics import TableStatistics
from tfvae.typing import Distribution, Tensor


class WithAtoms(Part):
    """Numbers of which some values, the atoms, have a probability of their own.

    The parameters are those of the other numbers, and a logit for these and for each of the A atoms of a column.

    Args:
        rest: The part of the same columns that has the distribution of the other numbers.
    """

    def __init__(self, rest: Part):
        super().__init__(rest.columns, rest.places, rest.min_scale, rest.num_components)
        self.rest = rest
        atoms = [self.columns.atoms[place] for place in self.places]
        self._logits = PaddedParameters(np.array([len(each) + 1 for each in atoms]))
        self._atoms = np.full((self._logits.width - 1, len(atoms)), np.nan, np.float32)
        for place, each in enumerate(atoms):
            self._atoms[: len(each), place] = each

    @property
    def size(self) -> int:
        return self.rest.size + self._logits.size

    def start(self, statistics: TableStatistics) -> np.ndarray:
        shares = [np.log(shares_of(statistics.atom_counts[place])) for place in self.places]
        return np.concatenate([self.rest.start(statistics), *shares])

    def distribution(self, parameters: Tensor, start: Tensor, scales: Scales) -> Distribution:
        sizes = [self.rest.size, self._logits.size]
        (of_rest, logits), (start_of_rest, start_logits) = (tf.split(each, sizes) for each in (parameters, start))
        rest = self.rest.distribution(of_rest, start_of_rest, scales)
        log_probs, is_whole = self._logits.log_softmax(logits + start_logits), self.columns.is_whole[self.places].all()
        return _WithAtoms(rest, log_probs, for_rows(self._atoms, start.shape.rank - 1), is_whole=is_whole)


class _WithAtoms(SameShape):
    """Distribution of a number that is one of A atoms, or follows another `distribution`.

    The probabilities of the atoms and the density of the other numbers are together a density with respect to the sum
    of a counting measure on the atoms and the Lebesgue measure on all other numbers: at an atom, `log_prob` is the log
    of a probability, and elsewhere that of a density. If all numbers are whole, it is always that of a probability, and
    an atom also has that which the other distribution has there.

    Args:
        distribution: Distribution of the numbers that are no atoms.
        log_probs: Log probabilities `[A + 1, n, ...]`, of the other numbers first.
        atoms: The atoms in float32, `[A, n, 1, ...]`, padded by NaN.
        is_whole: Whether the numbers are whole.
    """

    def __init__(self, distribution: Distribution, log_probs: Tensor, atoms: np.ndarray, *, is_whole: bool):
        self.log_probs, self.atoms, self.is_whole = log_probs, atoms, is_whole
        self._finite = np.where(np.isnan(atoms), 0.0, atoms)
        super().__init__(distribution, "WithAtoms", log_probs=log_probs, atoms=atoms, is_whole=is_whole)

    def _log_prob(self, x: Tensor) -> Tensor:
        axis = -self.atoms.ndim
        is_atom = tf.equal(tf.expand_dims(tf.cast(x, tf.float32), axis), self.atoms)
        of_atoms = self.log_probs[1:]
        log_atom = sum_over(tf.where(is_atom, of_atoms, tf.zeros_like(of_atoms)), axis)
        log_rest = self.log_probs[0] + self.distribution.log_prob(x)
        both = log_atom + tf.nn.softplus(log_rest - log_atom) if self.is_whole else log_atom
        return tf.where(any_over(is_atom, axis), both, log_rest)

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        first, second = tf.unstack(tfp.random.split_seed(seed, n=2, salt="with_atoms"), num=2)
        return self._chosen(Codes(self.log_probs).sample(n, seed=first), self.distribution.sample(n, seed=second))

    def _chosen(self, codes: Tensor, rest: Tensor) -> Tensor:
        """Returns the atom of each code 1, 2, ..., and other numbers for 0."""
        axis = -self.atoms.ndim
        places = for_rows(np.arange(1, len(self.atoms) + 1), self.atoms.ndim - 1)
        is_chosen = tf.equal(tf.expand_dims(codes, axis), tf.constant(places, codes.dtype))
        atoms = tf.constant(self._finite, self.dtype)
        atom = tf.reduce_sum(tf.where(is_chosen, atoms, tf.zeros_like(atoms)), axis=axis)
        return tf.where(codes > 0, atom, rest)

    def _mean(self) -> Tensor:
        probs = tf.exp(self.log_probs)
        of_atoms = tf.reduce_sum(probs[1:] * tf.constant(self._finite, self.dtype), axis=0)
        return probs[0] * self.distribution.mean() + of_atoms

    def _mode(self) -> Tensor:
        return self._chosen(Codes(self.log_probs).mode(), self.distribution.mode())

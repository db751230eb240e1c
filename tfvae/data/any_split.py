"""The kinds of splits that `load` returns."""

from typing import TypeAlias

from tfvae.data.sharded_split import ShardedSplit
from tfvae.data.sparse_split import SparseSplit
from tfvae.data.split import Split

AnySplit: TypeAlias = Split | ShardedSplit | SparseSplit

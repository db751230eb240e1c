"""A name or a path -> train, validation and test splits -> seeded `tf.data` batches.

    splits = tfvae.data.load("mnist")
    train = splits.train.batches(100, shuffle=True, binarize="dynamic", seed=0)

TensorFlow, TensorFlow Datasets and scikit-learn are imported by the functions that use them, not by this package.
"""

from tfvae.data.errors import DataError
from tfvae.data.load import known_names, load, load_examples
from tfvae.data.padding import pad
from tfvae.data.sharded_split import ShardedSplit
from tfvae.data.sharding import shard
from tfvae.data.shards import write_shards
from tfvae.data.sparse_split import SparseSplit
from tfvae.data.split import Split
from tfvae.data.splits import Splits

__all__ = [
    "DataError",
    "ShardedSplit",
    "SparseSplit",
    "Split",
    "Splits",
    "known_names",
    "load",
    "load_examples",
    "pad",
    "shard",
    "write_shards",
]

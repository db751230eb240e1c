#!/usr/bin/env bash
# constriction: a transposed table of probabilities is read in memory order; it round-trips, at many times the size.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare constriction==0.5.0 numpy==2.4.6
run <<'PY'
import constriction
import numpy as np

from finding import done, seen

rng = np.random.default_rng(0)
table = rng.dirichlet(np.full(64, 0.1), size=1000)  # one distribution a symbol, C-contiguous
symbols = np.array([rng.choice(64, p=row) for row in table], np.int32)
model = constriction.stream.model.Categorical(perfect=False)


def bits(probabilities):
    coder = constriction.stream.stack.AnsCoder()
    coder.encode_reverse(symbols, model, probabilities)
    num_bits = coder.num_valid_bits()
    return num_bits, np.array_equal(coder.decode(model, probabilities), symbols)


view = np.ascontiguousarray(table.T).T  # the same numbers, stored column by column
(plain, plain_back), (transposed, transposed_back) = bits(table), bits(view)
seen(
    f"equal tables give equal codes: {plain} bits, round trip {plain_back}",
    f"a transposed view of it gives {transposed} bits, round trip {transposed_back}",
    np.array_equal(table, view) and transposed > 2 * plain and transposed_back,
)
done()
PY

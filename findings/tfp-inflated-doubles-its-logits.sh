#!/usr/bin/env bash
# TFP: Inflated takes `inflated_loc_logits`, the log odds of the additional zeros, and counts them twice: logits of 1
# give the share sigmoid(2) of additional zeros, not sigmoid(1). With `inflated_loc_probs` the share is right. A
# zero-inflated model that is fitted in logits and read in probabilities is wrong by that.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import numpy as np
import tensorflow_probability as tfp

from finding import done, seen

counts = tfp.distributions.NegativeBinomial(5.0, probs=0.3)
zero = float(counts.prob(0.0))


def inflated(logits):
    """P(0) of counts of which a share of sigmoid(logits) is zero besides."""
    share = 1 / (1 + np.exp(-logits))
    return share + (1 - share) * zero


for logits in (-1.0, 1.0, 2.0):
    found = float(tfp.distributions.Inflated(counts, inflated_loc_logits=logits).prob(0.0))
    as_described = abs(found - inflated(2 * logits)) < 1e-5 and abs(found - inflated(logits)) > 0.05
    seen(f"P(0) = {inflated(logits):.4f} for logits of {logits:g}", f"{found:.4f}", as_described)
share = float(1 / (1 + np.exp(-1.0)))
found = float(tfp.distributions.Inflated(counts, inflated_loc_probs=share).prob(0.0))
seen(f"P(0) = {inflated(1.0):.4f} for the probability of logits of 1", f"{found:.4f}", abs(found - inflated(1.0)) < 1e-5)
done()
PY

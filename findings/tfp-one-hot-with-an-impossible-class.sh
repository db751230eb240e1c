#!/usr/bin/env bash
# TFP: one logit of -inf makes OneHotCategorical.log_prob NaN for the allowed classes; Categorical is right.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import math

import tensorflow as tf
import tensorflow_probability as tfp

from finding import done, seen

tfd = tfp.distributions
logits = tf.constant([0.0, 1.0, -math.inf])
right = float(tfd.Categorical(logits).log_prob(1))
found = float(tfd.OneHotCategorical(logits).log_prob([0, 1, 0]))
seen(f"the allowed class has log_prob {right:.4f}, as Categorical says", f"{found}", math.isnan(found))
kl = float(tfd.kl_divergence(tfd.OneHotCategorical(logits), tfd.OneHotCategorical(tf.zeros(3))))
seen("KL to the uniform is 0.5164, as 0 log 0 is 0", f"{kl}", math.isnan(kl))
done()
PY

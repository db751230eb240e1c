"""Which of the shared checks wait for `make test-slow`: the same code path, tried again on yet another layer."""

import pytest

# Every kind of layer: own parameterisation, TFP's, declared, mixture, discrete, a sampler of its own, a function.
EVERY_WAY = {"diag", "tril", "bernoulli", "normal", "lambda"}
WITH_XLA = EVERY_WAY | {"generic", "low_rank", "mixture_same_family", "discretized_mixture", "von_mises_fisher"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        case = parameters.get("case")
        if not isinstance(case, str) or not item.path.name == "test_layers_shared.py":
            continue
        is_again_xla = parameters.get("jit_compile") is True and case not in WITH_XLA
        is_again_spelled = parameters.get("name") in ("sequential", "subclassed") and case not in EVERY_WAY
        if is_again_xla or is_again_spelled:
            item.add_marker(pytest.mark.slow)

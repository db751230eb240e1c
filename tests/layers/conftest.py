"""Which of the shared checks wait for `make test-slow`: the same code path, tried again on yet another layer."""

import pytest

# Every kind of layer: own parameterisation, TFP's, declared, mixture, discrete, a sampler of its own, a function.
EVERY_WAY = {"diag", "bernoulli", "lambda"}
WITH_XLA = EVERY_WAY | {"tril", "generic", "mixture_same_family", "von_mises_fisher"}


AGAIN = {
    "test_layers_shared.py": (
        "test_fit",
        "test_float64_policy",
        "test_inputs_are_cast",
        "test_gradient_reaches",
        "test_keras_file",
        "test_mixed_precision",
        "test_models_return",
        "test_network_inside",
        "test_symbolic_shape",
        "test_two_consumers",
    ),
    "test_properties.py": ("test_shapes", "test_symbolic_shapes", "test_samples_in_a_graph", "test_no_examples"),
    "test_statistics.py": ("test_samples_of_other_parameters",),
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        names = {value for value in parameters.values() if isinstance(value, str)}
        if item.path.name not in AGAIN or not names:
            continue
        is_again = not names & WITH_XLA and item.name.startswith(AGAIN[item.path.name])
        compiled = parameters.get("jit_compile") is True or "compiled conversion" in names
        is_again_xla = compiled and not names & WITH_XLA
        is_again_xla |= compiled and item.name.startswith("test_samples_in_graph") and not names & EVERY_WAY
        is_again |= parameters.get("batch_size") == 4 and not names & EVERY_WAY
        is_again_spelled = bool(names & {"sequential", "subclassed"}) and not names & EVERY_WAY
        if is_again or is_again_xla or is_again_spelled:
            item.add_marker(pytest.mark.slow)

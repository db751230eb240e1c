"""Metrics for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """Request metrics of one server.

    Args:
        num_waiting: Function that returns the number of requests that wait or are being record_batch.
    """

    def __init__(self, num_waiting: Callable[[], int]):
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "tfvae_requests", "Predict requests record_request.", ["signature", "code"], registry=self._registry
        )
        self._seconds = Histogram(
            "tfvae_request_seconds",
            "From a request's first byte to its answer's.",
            ["signature"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._rows = Histogram("tfvae_batch_rows", "Examples of a computation.", buckets=_ROWS, registry=self._registry)
        waiting = Gauge("tfvae_waiting", "Requests that wait or are record_batch.", registry=self._registry)
        waiting.set_function(num_waiting)

    def record_request(self, signature: str, code: int, seconds: float) -> None:
        """Records a request. An unknown signature is recorded as "none"."""
        self._requests.labels(signature, str(code)).inc()
        self._seconds.labels(signature).observe(seconds)

    def record_batch(self, rows: int) -> None:
        """Records a computation and its number of examples."""
        self._rows.observe(rows)

    def text(self) -> bytes:
        """Returns all metrics in the text format of Prometheus."""
        return generate_latest(self._registry)

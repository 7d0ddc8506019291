"""What Prometheus reads of answered requests."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from hub.metrics import RequestCounts


def test_answers_are_counted_by_door_method_and_status_and_timed_by_door() -> None:
    counts = RequestCounts()
    registry = CollectorRegistry()
    registry.register(counts)
    for seconds in (0.001, 0.002, 0.0021, 0.2, 100.0):
        counts.add("v1", "POST", 202, seconds)
    counts.add("v1", "GET", 404, 0.01)
    counts.add("other", "GET", 200, 3.0)
    text = generate_latest(registry).decode()
    found = {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["hub_http_requests_total", "v1", "POST", "202"] == 5
    assert found["hub_http_requests_total", "v1", "GET", "404"] == 1
    assert found["hub_http_requests_total", "other", "GET", "200"] == 1
    up_to = {name[2]: value for name, value in found.items() if name[:2] == ("hub_http_request_seconds_bucket", "v1")}
    assert [up_to[bound] for bound in ("0.002", "0.005", "0.01", "0.1", "0.25", "65.0", "+Inf")] == [
        2,
        3,
        4,
        4,
        5,
        5,
        6,
    ]
    assert found["hub_http_request_seconds_count", "v1"] == 6
    assert abs(found["hub_http_request_seconds_sum", "v1"] - 100.2151) < 1e-9
    assert found["hub_http_request_seconds_count", "other"] == 1

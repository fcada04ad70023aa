"""Exports spans with the Python OpenTelemetry SDK and prints, one JSON line, the span ids of each trace.

usage: export.py grpc|http PORT TRACES SPANS_PER_TRACE
"""
import json
import sys

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

kind, port, traces, spans = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if kind == "grpc":
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{port}", insecure=True, compression=Compression.Gzip)
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{port}/v1/traces", compression=Compression.Gzip)

provider = TracerProvider(resource=Resource.create({"service.name": "python-shop", "service.version": "1.2.3"}))
provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=20000, max_export_batch_size=512))
tracer = provider.get_tracer("shop.checkout", "0.9")

sent = {}
for t in range(traces):
    with tracer.start_as_current_span(f"GET /cart/{t}", kind=trace.SpanKind.SERVER) as root:
        context = root.get_span_context()
        ids = sent.setdefault(f"{context.trace_id:032x}", [])
        ids.append(f"{context.span_id:016x}")
        for s in range(spans - 1):
            with tracer.start_as_current_span("query") as child:
                child.set_attributes({"db.system": "postgresql", "db.rows": s, "ratio": s / 7, "cached": s % 2 == 0, "tags": ["a", "b"]})
                if s % 10 == 0:
                    child.add_event("retry", {"attempt": s})
                ids.append(f"{child.get_span_context().span_id:016x}")
provider.shutdown()
print(json.dumps(sent))

// Exports spans with the Node OpenTelemetry SDK and prints, one JSON line, the span ids of each trace.
// usage: node export.mjs grpc|http|json PORT TRACES SPANS_PER_TRACE   (run from the folder that holds node_modules)
import { createRequire } from 'node:module';
const require = createRequire(process.cwd() + '/');
const { context, trace, SpanKind } = require('@opentelemetry/api');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { TracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace');

const [kind, port, traces, spans] = [process.argv[2], process.argv[3], Number(process.argv[4]), Number(process.argv[5])];
const packages = { grpc: 'grpc', http: 'proto', json: 'http' };
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${packages[kind]}`);
const url = kind === 'grpc' ? `http://127.0.0.1:${port}` : `http://127.0.0.1:${port}/v1/traces`;
const exporter = new OTLPTraceExporter({ url, compression: 'gzip' });
const provider = new TracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'node-shop', 'service.version': '1.2.3' }),
  spanProcessors: [new BatchSpanProcessor({ exporter, maxQueueSize: 20000, maxExportBatchSize: 512 })],
});
const tracer = provider.getTracer('shop.checkout', '0.9');

const sent = {};
for (let t = 0; t < Number(traces); t++) {
  const root = tracer.startSpan(`GET /cart/${t}`, { kind: SpanKind.SERVER });
  const ids = (sent[root.spanContext().traceId] = [root.spanContext().spanId]);
  const parent = trace.setSpan(context.active(), root);
  for (let s = 0; s < spans - 1; s++) {
    const child = tracer.startSpan('query', { attributes: { 'db.system': 'postgresql', 'db.rows': s, ratio: s / 7, cached: s % 2 === 0, tags: ['a', 'b'] } }, parent);
    if (s % 10 === 0) child.addEvent('retry', { attempt: s });
    child.end();
    ids.push(child.spanContext().spanId);
  }
  root.end();
}
await provider.shutdown();
console.log(JSON.stringify(sent));

"""A collector of traces: takes OTLP over HTTP and reads it with the specification's own types.

Prints its URL, and writes each span that it was sent as one line of JSON to the file that it is given.
POST /away makes it refuse everything from then on. python collector.py FILE
"""

import json
import pathlib
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

OUT = pathlib.Path(sys.argv[1])


def attributes(pairs):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def lines(request):
    for of_resource in request.resource_spans:
        resource = attributes(of_resource.resource.attributes)
        for scoped in of_resource.scope_spans:
            for span in scoped.spans:
                yield {
                    "resource": resource,
                    "scope": scoped.scope.name,
                    "trace": span.trace_id.hex(),
                    "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "name": span.name,
                    "kind": Span.SpanKind.Name(span.kind),
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "attributes": attributes(span.attributes),
                    "status": Status.StatusCode.Name(span.status.code),
                    "message": span.status.message,
                }


class Collector(BaseHTTPRequestHandler):
    away = False

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/away":
            Collector.away = True
            return self.answer(200)
        if Collector.away:
            return self.answer(503)
        if self.path != "/v1/traces" or self.headers["content-type"] != "application/x-protobuf":
            return self.answer(400)
        request = ExportTraceServiceRequest.FromString(body)
        # Whatever is not of these types would be kept aside as unknown, and is an error here.
        if request.SerializeToString(deterministic=True) != body:
            return self.answer(400)
        with OUT.open("a") as out:
            for line in lines(request):
                out.write(json.dumps(line) + "\n")
        with OUT.with_suffix(".raw").open("ab") as out:
            out.write(body)
        self.answer(200)

    def answer(self, status):
        body = ExportTraceServiceResponse().SerializeToString()
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
print(f"collector http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()

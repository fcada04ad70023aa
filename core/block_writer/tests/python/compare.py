"""Compares a block with Tempo's of the same spans, and with the OTLP requests that both were made from.

    compare.py OURS TEMPO OTLP_FOLDER

Rows are compared as they are, except that spans below a resource and scope, and these themselves, may stand in another
order. Numbers of nested sets depend on that order: what they say of the tree is compared.
"""

import collections
import glob
import json
import struct
import sys

import pyarrow.parquet as pq

TREE = ("ParentID", "NestedSetLeft", "NestedSetRight")
problems = []


def problem(*parts):
    problems.append(" ".join(str(part) for part in parts))


ENCODER = json.JSONEncoder(sort_keys=True, default=lambda other: other.hex())


def text(value):
    return ENCODER.encode(value)


def rows_of(path):
    file = pq.ParquetFile(path, page_checksum_verification=True)
    return file, {row["TraceID"]: row for row in file.read().to_pylist()}


def spans_of(row):
    """Spans with their resource and scope, and the tree: by span (parent's span, nodes below)."""
    spans, numbers = collections.Counter(), {}
    rooted = has_root(row)
    for batch in row["rs"]:
        resource = text(batch["Resource"])
        for of_scope in batch["ss"]:
            scope = text(of_scope["Scope"])
            count = of_scope.get("SpanCount", len(of_scope["Spans"]))
            if count != len(of_scope["Spans"]):
                problem("SpanCount", count, len(of_scope["Spans"]))
            for span in of_scope["Spans"]:
                span = dict(span)
                numbers[span["SpanID"], span["Kind"]] = [span.pop(name) for name in TREE]
                if not rooted:
                    # Tempo leaves what was in the memory before.
                    span.pop("ChildCount", None)
                spans[resource, scope, text(span)] += 1
    by_left = {left: span for span, (_, left, _) in numbers.items() if left}
    tree = {
        span: (by_left[parent] if parent > 0 else parent, right - left)
        for span, (parent, left, right) in numbers.items()
    }
    return spans, tree


def has_root(row):
    return any(not span["ParentSpanID"] for batch in row["rs"] for of_scope in batch["ss"] for span in of_scope["Spans"])


def stats_of(row):
    stats = row["ServiceStats"]
    # Maps come as pairs.
    return sorted(text(list(one) if isinstance(one, tuple) else one) for one in stats)


def compare_rows(ours, theirs):
    if list(ours) != sorted(ours):
        problem("rows are not sorted")
    if set(ours) != set(theirs):
        problem("trace ids differ")
    for trace_id in ours:
        a, b = ours[trace_id], theirs[trace_id]
        for name in a:
            if name == "ServiceStats":
                same = stats_of(a) == stats_of(b)
            else:
                same = name == "rs" or a[name] == b[name]
            if not same:
                problem(trace_id.hex(), name, a[name], b[name])
        for what, x, y in zip(("spans", "tree"), spans_of(a), spans_of(b)):
            if x != y:
                problem(trace_id.hex(), what, [z for z in x if z not in y or x[z] != y[z]][:2])


def compare_files(ours, theirs):
    if not ours.schema_arrow.equals(theirs.schema_arrow):
        problem("schemas differ")
    metadata = ours.metadata
    if metadata.format_version != theirs.metadata.format_version:
        problem("format version", metadata.format_version)
    if metadata.num_row_groups < 2:
        problem("only", metadata.num_row_groups, "row groups")
    for group in range(metadata.num_row_groups):
        for leaf in range(metadata.num_columns):
            column = metadata.row_group(group).column(leaf)
            other = theirs.metadata.row_group(0).column(leaf)
            path = column.path_in_schema
            if path != other.path_in_schema:
                problem("leaf", leaf, path, other.path_in_schema)
            if not (column.has_column_index and column.has_offset_index):
                problem(path, "has no page index")
            if column.compression != "ZSTD":
                problem(path, column.compression)
            if other.has_dictionary_page and not column.has_dictionary_page:
                problem(path, "has no dictionary")
            if path.endswith("ParentID") and column.has_dictionary_page:
                problem(path, "has a dictionary")
            statistics = column.statistics
            if statistics is None or not statistics.has_null_count:
                problem(path, "has no null count")
            elif statistics.has_min_max and statistics.min > statistics.max:
                problem(path, statistics.min, statistics.max)
    # Over all row groups there are as many values and nulls as in the other file.
    for leaf in range(metadata.num_columns):
        path = metadata.row_group(0).column(leaf).path_in_schema
        sums = []
        for file in (ours, theirs):
            groups = [file.metadata.row_group(at).column(leaf) for at in range(file.metadata.num_row_groups)]
            sums.append((sum(group.num_values for group in groups), sum(group.statistics.null_count for group in groups)))
        # Spans of one resource may be in one batch here and two there, and which scopes are merged depends on it.
        if sums[0] != sums[1]:
            problem(path, "values and nulls", sums)


# Protobuf, as far as OTLP needs it.


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            value, at = data[at : at + 8], at + 8
        elif kind == 2:
            length, at = varint(data, at)
            value, at = data[at : at + length], at + length
        elif kind == 5:
            value, at = data[at : at + 4], at + 4
        else:
            raise ValueError(kind)
        yield key >> 3, value


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def u64(value):
    return struct.unpack("<Q", value)[0]


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def any_value(data):
    """A pair of kind and value."""
    result = ("empty", None)
    for number, value in fields(data):
        if number == 1:
            # What was longer was cut when it was taken in.
            result = ("Value", value[:2048].decode())
        elif number == 2:
            result = ("ValueBool", bool(value))
        elif number == 3:
            result = ("ValueInt", signed(value))
        elif number == 4:
            result = ("ValueDouble", struct.unpack("<d", value)[0])
        elif number == 5:
            result = ("array", [any_value(element) for _, element in fields(value)])
        elif number == 6:
            result = ("kvlist", [key_value(element) for _, element in fields(value)])
        elif number == 7:
            result = ("bytes", value)
    return result


def key_value(data):
    key, value = "", ("empty", None)
    for number, part in fields(data):
        if number == 1:
            key = part.decode()
        elif number == 2:
            value = any_value(part)
    return key, value


LEAVES = ("Value", "ValueInt", "ValueDouble", "ValueBool")


def stored(key, value):
    """A generic attribute as a row has it."""
    kind, content = value
    one = {"Key": key, "IsArray": False, "ValueUnsupported": False}
    one.update({leaf: [] for leaf in LEAVES})
    if kind in LEAVES:
        one[kind] = [content]
    elif kind == "array" and len({k for k, _ in content}) <= 1 and all(k in LEAVES for k, _ in content):
        one["IsArray"] = True
        for leaf, element in content:
            one[leaf].append(element)
    else:
        one["ValueUnsupported"] = True
    return text(one)


def requested(folder):
    """What was sent of each span: scalars, and its attributes."""
    spans = {}
    for path in sorted(glob.glob(folder + "/*.pb")):
        for number, resource_spans in fields(open(path, "rb").read()):
            scopes = [part for kind, part in fields(resource_spans) if kind == 2]
            for scope_spans in scopes:
                for kind, data in fields(scope_spans):
                    if kind == 2:
                        add_span(spans, data)
    return spans


def add_span(spans, data):
    span = {"Name": "", "Kind": 0, "parent": b"", "start": 0, "end": 0, "attributes": [], "events": [], "links": []}
    span.update({"TraceState": "", "StatusCode": 0, "StatusMessage": "", "dropped": [0, 0, 0]})
    for number, value in fields(data):
        if number == 1:
            trace_id = value.rjust(16, b"\0")[-16:]
        elif number == 2:
            span_id = value
        elif number == 3:
            span["TraceState"] = value.decode()
        elif number == 4:
            span["parent"] = value
        elif number == 5:
            span["Name"] = value.decode()
        elif number == 6:
            span["Kind"] = value
        elif number == 7:
            span["start"] = u64(value)
        elif number == 8:
            span["end"] = u64(value)
        elif number == 9:
            span["attributes"].append(key_value(value))
        elif number in (10, 12, 14):
            span["dropped"][(number - 10) // 2] = value
        elif number == 11:
            span["events"].append(event_of(value))
        elif number == 13:
            span["links"].append(link_of(value))
        elif number == 15:
            for part, content in fields(value):
                if part == 2:
                    span["StatusMessage"] = content.decode()
                elif part == 3:
                    span["StatusCode"] = content
    spans[trace_id, span_id, span["Kind"]] = span


def event_of(data):
    time, name, attributes, dropped = 0, "", [], 0
    for number, value in fields(data):
        if number == 1:
            time = u64(value)
        elif number == 2:
            name = value.decode()
        elif number == 3:
            attributes.append(stored(*key_value(value)))
        elif number == 4:
            dropped = value
    return time, name, attributes, dropped


def link_of(data):
    ids, state, attributes, dropped = [b"", b""], "", [], 0
    for number, value in fields(data):
        if number in (1, 2):
            ids[number - 1] = value
        elif number == 3:
            state = value.decode()
        elif number == 4:
            attributes.append(stored(*key_value(value)))
        elif number == 5:
            dropped = value
    return ids[0], ids[1], state, attributes, dropped


def read_back(attribute):
    """A generic attribute of a row, in the form of `stored`."""
    attribute = {name: simple(value) for name, value in attribute.items()}
    attribute["ValueUnsupported"] = attribute["ValueUnsupported"] is not None
    return text(attribute)


def simple(value):
    """Lists of version 4 come as lists of elements too."""
    if isinstance(value, list):
        return [one["element"] if isinstance(one, dict) and set(one) == {"element"} else one for one in value]
    return value


def compare_with_requests(rows, spans, dedicated):
    count = 0
    for trace_id, row in rows.items():
        for batch in row["rs"]:
            for of_scope in batch["ss"]:
                for span in of_scope["Spans"]:
                    count += 1
                    sent = spans.get((trace_id, span["SpanID"], span["Kind"]))
                    if sent is None:
                        problem("never sent", trace_id.hex(), span["SpanID"].hex())
                    else:
                        compare_span(span, sent, dedicated)
    if count != len(spans):
        problem(count, "spans of", len(spans))


def compare_span(span, sent, dedicated):
    duration = (sent["end"] - sent["start"]) % (1 << 64)
    expected = {
        "Name": sent["Name"],
        "ParentSpanID": sent["parent"],
        "TraceState": sent["TraceState"],
        "StartTimeUnixNano": sent["start"],
        "DurationNano": duration,
        "StatusCode": sent["StatusCode"],
        "StatusMessage": sent["StatusMessage"],
        "DroppedAttributesCount": sent["dropped"][0],
        "DroppedEventsCount": sent["dropped"][1],
        "DroppedLinksCount": sent["dropped"][2],
    }
    for seconds in (15, 60, 300, 3600):
        name = "StartTimeRounded%d" % seconds
        if name in span:
            expected[name] = max(0, -(-sent["start"] // (seconds * 10**9)) - 1)
    for name, value in expected.items():
        if span[name] != value:
            problem(span["SpanID"].hex(), name, span[name], value)
    generic, single = [], {}
    for key, value in sent["attributes"]:
        leaf, kind = dedicated.get(key, (None, None))
        if kind == value[0]:
            single[leaf] = value[1]
        else:
            generic.append(stored(key, value))
    if [read_back(one) for one in span["Attrs"]] != generic:
        problem(span["SpanID"].hex(), "Attrs", span["Attrs"], generic)
    slots = dict(span["DedicatedAttributes"], **{name: span[name] for name in ("HttpMethod", "HttpUrl", "HttpStatusCode") if name in span})
    for leaf, value in slots.items():
        found = value[0] if isinstance(value, list) and value else (value or None)
        if found != single.get(leaf):
            problem(span["SpanID"].hex(), leaf, value, single.get(leaf))
    events = [
        (
            (event["TimeSinceStartNano"] + sent["start"]) % (1 << 64),
            event["Name"],
            [read_back(one) for one in event["Attrs"]],
            event["DroppedAttributesCount"],
        )
        for event in span["Events"]
    ]
    if events != sent["events"]:
        problem(span["SpanID"].hex(), "Events", events, sent["events"])
    links = [
        (
            link["TraceID"],
            link["SpanID"],
            link["TraceState"],
            [read_back(one) for one in link["Attrs"]],
            link["DroppedAttributesCount"],
        )
        for link in span["Links"]
    ]
    if links != sent["links"]:
        problem(span["SpanID"].hex(), "Links", links, sent["links"])


V5 = {
    "http.request.method": ("String01", "Value"),
    "url.path": ("String02", "Value"),
    "url.route": ("String03", "Value"),
    "server.address": ("String04", "Value"),
    "http.method": ("String05", "Value"),
    "http.url": ("String06", "Value"),
    "http.route": ("String07", "Value"),
    "http.response.status_code": ("Int01", "ValueInt"),
    "server.port": ("Int02", "ValueInt"),
    "http.status_code": ("Int03", "ValueInt"),
}
V4 = {
    "http.request.method": ("String01", "Value"),
    "url.path": ("String02", "Value"),
    "url.route": ("String03", "Value"),
    "server.address": ("String04", "Value"),
    "http.route": ("String05", "Value"),
    "http.method": ("HttpMethod", "Value"),
    "http.url": ("HttpUrl", "Value"),
    "http.status_code": ("HttpStatusCode", "ValueInt"),
}


def main(ours, theirs, otlp):
    our_file, our_rows = rows_of(ours)
    their_file, their_rows = rows_of(theirs)
    compare_files(our_file, their_file)
    compare_rows(our_rows, their_rows)
    is_v5 = any("StartTimeRounded15" in leaf for leaf in (our_file.schema.column(at).path for at in range(len(our_file.schema))))
    compare_with_requests(our_rows, requested(otlp), V5 if is_v5 else V4)
    for one in problems[:20]:
        print(one[:1000])
    print(f"{len(problems)} problems" if problems else "the same")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

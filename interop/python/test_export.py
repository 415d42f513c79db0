"""What `inferlog export` writes, read by the tools that it is written for: pyarrow, DuckDB, and the chain's own check."""

import csv
import io
import json
from collections import Counter
from datetime import datetime

import duckdb
import pyarrow.parquet
import pytest

import chain


@pytest.fixture(scope="session")
def events(demo):
    """The log, event by event; everything else is held against it."""
    return [json.loads(line) for line in export(demo, "jsonl").splitlines()]


def export(log, form, *arguments, to="-"):
    return log.run("export", "--format", form, "--output", to, *arguments, opens=True)


def test_every_event_is_there_once(demo, events):
    places = [(event["log"], event["index"], event["place"]) for event in events]
    assert places == sorted(set(places))
    decisions = {event["decision"] for event in events if event["event"]["kind"] == "decision.opened"}
    assert decisions == set(demo.find())


def test_pyarrow_reads_the_table_of_events(demo, events, tmp_path):
    path = tmp_path / "events.parquet"
    export(demo, "parquet", to=path)
    table = pyarrow.parquet.read_table(path)
    assert table.num_rows == len(events)
    types = {name: str(table.schema.field(name).type) for name in ("started_at", "entry", "subjects", "id")}
    assert types == {
        "started_at": "timestamp[ns, tz=UTC]", "entry": "int64", "subjects": "list<element: string not null>",
        "id": "string",
    }
    names = ["log", "entry", "place", "id", "kind", "decision", "subjects", "inference_model_returned"]
    nanoseconds = table["logged_at"].cast("int64").to_pylist()
    for row, logged_at, event in zip(table.select(names).to_pylist(), nanoseconds, events, strict=True):
        told = event["event"]
        assert (row["log"], row["entry"], row["place"]) == (event["log"], event["index"], event["place"])
        assert (row["id"], row["kind"], row["decision"]) == (told["id"], told["kind"], event["decision"])
        assert row["subjects"] == told.get("subjects")
        if told["kind"] == "inference":
            assert row["inference_model_returned"] == told["body"]["model"].get("returned")
        seconds = int(datetime.fromisoformat(told["logged_at"][:19] + "Z").timestamp())
        assert logged_at == seconds * 10**9 + int(told["logged_at"][20:29])

    metadata = pyarrow.parquet.read_metadata(path).metadata
    logs = json.loads(metadata[b"inferlog.logs"])
    assert {log["origin"] for log in logs} == {event["log"] for event in events}
    for log in logs:
        indices = [event["index"] for event in events if event["log"] == log["origin"]]
        assert (log["first_index"], log["last_index"]) == (min(indices), max(indices))
        assert log["checkpoint"].split("\n")[:2] == [log["origin"], str(log["last_index"] + 1)]


def test_duckdb_reads_parquet_csv_and_json_lines_alike(demo, events, tmp_path):
    counts = []
    for form, name in (("parquet", "events.parquet"), ("csv", "events.csv"), ("jsonl", "events.jsonl")):
        export(demo, form, to=tmp_path / name)
        reads = {
            "parquet": f"SELECT kind FROM '{tmp_path / name}'",
            "csv": f"SELECT kind FROM read_csv('{tmp_path / name}', all_varchar = true)",
            "jsonl": f"SELECT event ->> 'kind' AS kind FROM read_json('{tmp_path / name}', columns = {{event: 'JSON'}})",
        }
        counts.append(dict(duckdb.sql(f"SELECT kind, count(*) FROM ({reads[form]}) GROUP BY kind").fetchall()))
        assert (tmp_path / f"{name}.meta.json").exists() == (form != "parquet")
    assert counts == [dict(Counter(event["event"]["kind"] for event in events))] * 3


def test_payloads_with_content_tell_the_erased_from_the_rest(demo, tmp_path):
    path = tmp_path / "payloads.parquet"
    export(demo, "parquet", "--table", "payloads", "--content", to=path)
    states = dict(duckdb.sql(f"SELECT coalesce(not_opened, 'content'), count(*) FROM '{path}' GROUP BY 1").fetchall())
    assert states["erased"] > 0 and states["content"] > states["erased"]
    both = duckdb.sql(
        f"SELECT count(*) FROM '{path}' WHERE (content IS NULL) = (not_opened IS NULL)"
        " OR (erased_by IS NOT NULL AND content IS NOT NULL)"
    ).fetchall()
    assert both == [(0,)]
    ((bodies, parsed),) = duckdb.sql(
        f"SELECT count(*), count(content::JSON) FROM '{path}'"
        " WHERE role = 'output.raw' AND media_type = 'application/json' AND content IS NOT NULL"
    ).fetchall()
    assert bodies == parsed > 0


def test_pairs_are_bodies_as_they_were_sent(demo):
    pairs = [json.loads(line) for line in export(demo, "oip", "--outcome", "answered").splitlines()]
    assert pairs
    for pair in pairs[:20]:
        story = demo.show(pair["decision"])
        (call,) = (event for event in story.events if event.told["id"] == pair["event"])
        first = next(event for event in story.events if "input.raw" in event)
        assert pair["request"] == json.loads(first["input.raw"].content)
        assert pair["response"] == json.loads(call["output.raw"].content)
        assert pair["outcome"] == story.told["outcome"] == "answered"


def test_databricks_columns_and_types(demo, events, tmp_path):
    path = tmp_path / "inference.parquet"
    export(demo, "databricks", "--content", to=path)
    described = duckdb.sql(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
    assert {name: kind for name, kind, *_ in described} == {
        "databricks_request_id": "VARCHAR", "client_request_id": "VARCHAR", "request_date": "DATE",
        "request_time": "TIMESTAMPTZ_NS", "status_code": "BIGINT", "sampling_fraction": "DOUBLE",
        "execution_duration_ms": "BIGINT", "request": "VARCHAR", "response": "VARCHAR", "served_entity_id": "VARCHAR",
        "logging_error_codes": "VARCHAR[]", "requester": "VARCHAR",
    }
    rows = duckdb.sql(f"SELECT * EXCLUDE request_time FROM '{path}'").fetchall()
    assert len(rows) == sum(event["event"]["kind"] == "inference" for event in events)
    text = export(demo, "databricks", "--content", to=tmp_path / "inference.csv")
    read = list(csv.DictReader(io.StringIO((tmp_path / "inference.csv").read_bytes().decode(), newline="")))
    assert text == "" and [row["databricks_request_id"] for row in read] == [row[0] for row in rows]


@pytest.mark.parametrize("content", [(), ("--content",)])
def test_the_chain_is_valid_and_breaks_where_it_is_changed(demo, tmp_path, content):
    root = tmp_path / "audit-log"
    export(demo, "aiact-audit-log", *content, to=root)
    systems = [path.name for path in root.iterdir()]
    assert systems
    for system in systems:
        placed = chain.read(root, system)
        entries = [entry for _, entry in placed]
        for path, entry in placed:
            chain.check_schema(entry)
            assert path.startswith(entry["timestamp"][:10].replace("-", "/")), path
        assert [entry["seq"] for entry in entries] == list(range(len(entries)))
        assert chain.verify(entries, system) is None
        head = json.loads((root / system / "_chain/head.json").read_text())
        assert (head["seq"], head["hash"]) == (entries[-1]["seq"], entries[-1]["hash"])
        assert chain.verify(entries, "another") == 0
        changed = [dict(entry) for entry in entries]
        changed[3]["latencyMs"] = 1.25
        assert chain.verify(changed, system) == 3
        assert chain.verify(entries[:2] + entries[3:], system) == 3
    raw = sum(entry["input"]["type"] == "raw" and entry["input"]["value"] != "" for entry in entries)
    assert (raw > 0) == bool(content)

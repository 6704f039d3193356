"""Reads what `analyze` wrote with DuckDB, pandas and Timesketch's own importer, and holds it against
the JSON report.

    python totals.py FOLDER

FOLDER holds report.json and, of the same analysis, out.csv, out.parquet (with the files beside
them), out.timesketch.jsonl and out.timesketch.csv.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import duckdb
import pandas
from timesketch_import_client import importer

folder = Path(sys.argv[1])
report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
incidents = report["incidents"]


def same(what, found, wanted):
    assert found == wanted, f"{what}: {found!r}, and the JSON says {wanted!r}"


def query(sql):
    return duckdb.sql(sql.replace("out", str(folder / "out"), 1)).fetchall()


def duck():
    """Totals by DuckDB, of Parquet and CSV."""
    by_mechanism = sorted(Counter(own["mechanism"] for own in incidents).items())
    ids = sorted(own["id"] for own in incidents)
    devices = len({own["device"] for own in incidents})
    lines = sum(len(own["evidence"]) for own in incidents)
    for name in ("out.parquet", "out.csv"):
        group = f"select mechanism, count(*) from '{name}' group by 1 order by 1"
        same(f"{name}: mechanisms", query(group), by_mechanism)
        found = [row[0] for row in query(f"select cast(id as varchar) from '{name}' order by 1")]
        if name == "out.parquet":
            same(f"{name}: ids", found, ids)
        same(f"{name}: devices", query(f"select count(distinct device) from '{name}'"), [(devices,)])
        attempts = sum(own["attempts"] for own in incidents)
        found = query(f"select coalesce(sum(attempts::bigint), 0)::bigint from '{name}'")
        same(f"{name}: attempts", found, [(attempts,)])
    found = query("select coalesce(sum(json_array_length(evidence)), 0)::bigint from 'out.parquet'")
    same("lines of evidence", found, [(lines,)])
    both = "select count(*) from 'out.parquet' where (at_utc is null) = (at_local is null)"
    same("one of two times", query(both), [(0,)])
    held = {own["id"] for own in incidents if own["blocker"]}
    found = query("select distinct unnest(string_split(held, ' ')) from 'out.lifetimes.parquet' where held is not null")
    same("holders", {row[0] for row in found}, held)
    found = query("select distinct incident from 'out.steps.parquet' where incident is not null")
    same("refused steps", {row[0] for row in found}, set(ids))
    runs = query("select count(*) from (select distinct device, run from 'out.steps.parquet')")
    same("runs", runs, [(report["coverage"]["runs"],)])
    came_to = query(
        "select count(*) from (select distinct device, run, step_ordinal from 'out.steps.parquet')"
    )
    same("attempts of steps", came_to, [(sum(row["attempts"] for row in report["steps"]),)])


def panda():
    """The same by pandas, and the times."""
    parquet = pandas.read_parquet(folder / "out.parquet")
    sheet = pandas.read_csv(folder / "out.csv", dtype={"id": str, "task_id": str})
    for frame, name in ((parquet, "out.parquet"), (sheet, "out.csv")):
        same(f"{name}: ids", list(frame["id"]), [own["id"] for own in incidents])
        same(f"{name}: steps", list(frame["step"]), [own["step"] for own in incidents])
    for own, utc, local in zip(incidents, parquet["at_utc"], parquet["at_local"]):
        at = own["at"]
        shown = local if pandas.isna(utc) else utc
        same("zone", at.endswith("Z"), not pandas.isna(utc))
        same("time", shown, pandas.Timestamp(at))
    same("evidence", [json.loads(lines) for lines in parquet["evidence"]], [own["evidence"] for own in incidents])
    for name, rows in (("templates", report["templates"]), ("steps", report["steps"])):
        frame = pandas.read_csv(folder / f"out.{name}.csv")
        same(f"{name}: rows", len(frame), len(rows))
        same(f"{name}: incidents", int(frame["incidents"].sum()), len(incidents))
        same(f"{name}: rates", list(frame["rate_low"]), [row["rate_low"] for row in rows])


class Kept(importer.ImportStreamer):
    """Timesketch's importer with its checks and repairs, and nowhere to send the events to."""

    def __init__(self):
        super().__init__()
        self.events = []

    def _ready(self):
        pass

    def _upload_data_frame(self, data_frame, end_stream, retry_count=0):
        self.events.extend(json.loads(data_frame.to_json(orient="records")))

    def _upload_data_buffer(self, end_stream, data_lines=None, retry_count=0):
        self.events.extend(self._data_lines if data_lines is None else data_lines)

    def close(self):
        if self._data_lines:
            self.flush()


def sketch():
    """What Timesketch would be given."""
    lines = (folder / "out.timesketch.jsonl").read_text(encoding="utf-8").splitlines()
    written = [json.loads(line) for line in lines]
    for name in ("out.timesketch.jsonl", "out.timesketch.csv"):
        streamer = Kept()
        streamer.set_timeline_name("provtrace")
        streamer.add_file(str(folder / name))
        streamer.close()
        same(f"{name}: events", len(streamer.events), len(written))
        for event, own in zip(streamer.events, written):
            same(f"{name}: timestamp_desc", event["timestamp_desc"], own["timestamp_desc"])
            assert event["message"], event
            seen = pandas.Timestamp(event["datetime"])
            same(f"{name}: datetime", seen, pandas.Timestamp(own["datetime"]))
            same(f"{name}: timestamp", seen.value // 1000, own["timestamp"])
    found = {own["incident"] for own in written if own["data_type"] == "provtrace:step" and "incident" in own}
    same("refused steps", found, {own["id"] for own in incidents})


duck()
panda()
sketch()
print(f"{len(incidents)} incidents agree")

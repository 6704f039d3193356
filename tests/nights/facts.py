"""Reads a store's facts with DuckDB and holds them against the report of the same store.

    python facts.py STORE/facts report.json
"""

import json
import sys
from collections import Counter
from pathlib import Path

import duckdb

facts, report = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
incidents = report["incidents"]


def same(what, found, wanted):
    assert found == wanted, f"{what}: {found!r}, and the JSON says {wanted!r}"


def query(kind, sql):
    """`{}` stands for all files of a kind of facts."""
    files = (facts / kind / "*" / "*.parquet").as_posix()
    return duckdb.sql(sql.format(f"read_parquet('{files}', hive_partitioning = true)")).fetchall()


same("ids", [row[0] for row in query("incidents", "select id from {} order by 1")], sorted(own["id"] for own in incidents))
by_mechanism = sorted(Counter(own["mechanism"] for own in incidents).items())
same("mechanisms", query("incidents", "select mechanism, count(*) from {} group by 1 order by 1"), by_mechanism)
by_template = Counter(own["template"] for own in incidents)
found = query("incidents", "select template, count(*) from {} group by 1")
same("templates", dict(found), dict(by_template))
by_month = sorted(Counter(own["at"][:7] for own in incidents).items())
same("months", query("incidents", "select cast(month as varchar), count(*) from {} group by 1 order by 1"), by_month)
found = query("steps", "select distinct incident from {} where incident is not null order by 1")
same("refused steps", [row[0] for row in found], sorted(own["id"] for own in incidents))
found = query("steps", "select count(*) from (select distinct device, run from {})")
same("runs", found, [(report["coverage"]["runs"],)])
found = query("steps", "select template, count(distinct (device, run)) from {} group by 1")
same("runs by template", dict(found), {own["template"]: own["runs"] for own in report["templates"]})
held = sorted(own["id"] for own in incidents if own["blocker"])
found = query("lifetimes", "select distinct unnest(string_split(held, ' ')) as id from {} where held is not null order by 1")
same("holders", [row[0] for row in found], held)
print(f"{len(incidents)} incidents agree")

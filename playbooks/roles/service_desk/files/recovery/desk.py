#!/usr/bin/python3
"""One agency's part of a Request Tracker database: dumped, loaded into an empty database, merged into a live one.

Usage, as the system user that owns the database, with the folder that holds or will hold the dump:
    desk.py dump FOLDER AGENCY   writes schema.dump and one file a table; prints {"tools": .., "tables": {name: facts}}
    desk.py load FOLDER AGENCY   fills an empty database with a dump; prints what `inspect` does
    desk.py merge FOLDER AGENCY  replaces the agency's rows, and only those, by the dump's
    desk.py inspect FOLDER AGENCY  prints the tables as `dump` does, and what the invariants say
A table's facts are its number of rows and the SHA-256 of its text, so equal facts mean equal rows.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DATABASE = "rtdb"
# Of people who are not the agency's own no credential is kept.
NO_CREDENTIAL = """'{"password": "*NO-PASSWORD*", "authtoken": null}'::jsonb"""


def psql(script: str, agency: str, folder: Path, database: str = DATABASE) -> str:
    """Run a script inside the folder, stopping at its first error, and return what it printed."""
    options = [
        "--no-psqlrc",
        "--quiet",
        "--no-align",
        "--tuples-only",
        "--set=ON_ERROR_STOP=1",
        f"--set=agency={agency}",
    ]
    done = subprocess.run(
        ["psql", *options, database], input=script, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"the database refuses: {done.stderr.strip()}")
    return done.stdout


def run(*command: str) -> str:
    """Run a program of PostgreSQL's, and return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout


def tables(agency: str, folder: Path) -> list[str]:
    """Return the names of the tables, insisting that the scope says of each whose its rows are."""
    found = psql("select tablename from pg_tables where schemaname = 'public' order by 1", agency, folder).split()
    scope = (HERE / "scope.sql").read_text()
    unknown = [table for table in found if f"temp table scope_{table} " not in scope]
    if unknown:
        raise SystemExit(f"nothing says whose the rows of {', '.join(unknown)} are: scope.sql has to be told")
    return found


def facts(file: Path) -> dict[str, Any]:
    """Return how many rows a table's file has, and its digest."""
    with file.open("rb") as stream:
        digest, rows = hashlib.sha256(), 0
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
            rows += chunk.count(b"\n")
    return {"rows": rows, "sha256": digest.hexdigest()}


def rows_of(table: str) -> str:
    """Return the query for the rows of a table that are in scope, in an order that does not depend on the server."""
    whole = f"(jsonb_populate_record(t, case when s.own then '{{}}' else {NO_CREDENTIAL} end)).*"
    row = whole if table == "users" else "t.*"
    return f"select {row} from {table} t join scope_{table} s using (id) order by t.id"  # noqa: S608 - from the catalogue


def dump(folder: Path, agency: str, *, schema: bool = True) -> dict[str, Any]:
    """Write the agency's rows as of one instant, and return what was written."""
    names = tables(agency, folder)
    shape = '\\! pg_dump --snapshot="$SNAPSHOT" --schema-only --no-owner --format=custom --file=schema.dump ' + DATABASE
    lines = [
        "begin isolation level repeatable read;",
        "select pg_export_snapshot() as snapshot \\gset",
        "\\setenv SNAPSHOT :snapshot",
        *([shape] if schema else []),
        f"\\i {HERE / 'scope.sql'}",
        *(f"copy ({rows_of(table)}) to stdout \\g {table}.tsv" for table in names),
        "copy (select sequencename, last_value from pg_sequences where schemaname = 'public' and last_value is not null"
        " order by 1) to stdout \\g sequences.tsv",
        "commit;",
    ]
    psql("\n".join(lines), agency, folder)
    if schema:
        run("pg_restore", "--list", str(folder / "schema.dump"))
    return {
        "tools": {"postgresql": psql("show server_version", agency, folder).strip()},
        "tables": {table: facts(folder / f"{table}.tsv") for table in names},
    }


def load(folder: Path, agency: str) -> dict[str, Any]:
    """Fill the empty database. Keys and indexes come after the rows, which is quicker."""
    shape = str(folder / "schema.dump")
    run("pg_restore", "--no-owner", "--exit-on-error", "--section=pre-data", f"--dbname={DATABASE}", shape)
    files = sorted(file for file in folder.glob("*.tsv") if file.name != "sequences.tsv")
    lines = [f"\\copy {file.stem} from {file.name}" for file in files]
    positions = [line.split("\t") for line in (folder / "sequences.tsv").read_text().splitlines()]
    lines += [f"select setval('{sequence}', {position});" for sequence, position in positions]
    psql("\n".join(["begin;", *lines, "commit;"]), agency, folder)
    run("pg_restore", "--no-owner", "--exit-on-error", "--section=post-data", f"--dbname={DATABASE}", shape)
    psql("analyze;", agency, folder)
    return inspect(folder, agency)


def merge(folder: Path, agency: str) -> dict[str, Any]:
    """Replace the agency's rows in one transaction: either all of them are there afterwards, or nothing has changed.

    One agency at a time, by the lock that `agency.pl` takes: rows that agencies share lead to rows that each changes.
    """
    names = tables(agency, folder)
    missing = [table for table in names if not (folder / f"{table}.tsv").exists()]
    if missing:
        raise SystemExit(f"the backup is of another version of Request Tracker: it has no {', '.join(missing)}")
    lines = [
        "begin;",
        "select pg_advisory_xact_lock(hashtext('agency'));",
        "create schema restored;",
        *(f"create table restored.{table} (like public.{table});" for table in names),
        *(f"\\copy restored.{table} from {table}.tsv" for table in names),
        "create temp table restored_sequences (sequence_name text, last bigint) on commit drop;",
        "\\copy restored_sequences from sequences.tsv",
        "set local search_path = restored;",
        f"\\i {HERE / 'scope.sql'}",
        *(f"alter table scope_{table} rename to backup_{table};" for table in names),
        # What is of no table here would be in its own way.
        "drop table if exists scope_objects, scope_shorteners;",
        "set local search_path = public;",
        f"\\i {HERE / 'scope.sql'}",
        f"\\i {HERE / 'merge.sql'}",
        "commit;",
        "analyze;",
    ]
    psql("\n".join(lines), agency, folder)
    return {}


def inspect(folder: Path, agency: str) -> dict[str, Any]:
    """Say what is in the database: the digests of a dump, and what is true of a desk in order."""
    del folder
    with tempfile.TemporaryDirectory() as place:
        rules = psql(f"\\i {HERE / 'invariants.sql'}", agency, Path(place)).splitlines()
        wrong = [rule.replace("\t", " ") for rule in rules if not rule.startswith("0\t")]
        found = dump(Path(place), agency, schema=False)
    return found | {"invariants": {"passed": not wrong, "detail": "; ".join(wrong) or f"{len(rules)} rules hold"}}


def main() -> None:
    """Carry out one operation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operation", choices=["dump", "load", "merge", "inspect"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("agency")
    given = parser.parse_args()
    operations = {"dump": dump, "load": load, "merge": merge, "inspect": inspect}
    json.dump(operations[given.operation](given.folder.resolve(), given.agency), sys.stdout)


if __name__ == "__main__":
    main()

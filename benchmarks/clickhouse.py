"""The ClickHouse engine in process, to compare with (pip install chdb).

It is no requirement of the project: where it is not installed, there is no engine.
"""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import psycopg


def engine_in(folder: Path) -> Any | None:
    """An engine that keeps its data in a folder."""
    if importlib.util.find_spec("chdb") is None:
        return None
    return importlib.import_module("chdb.session").Session(str(folder / "clickhouse"))


def load(engine: Any, table: str, url: str, select: str, file: Path) -> None:
    """Fill a table with what a statement selects from PostgreSQL."""
    with (
        psycopg.connect(url) as connection,
        connection.cursor().copy(f"COPY ({select}) TO STDOUT (FORMAT csv)") as copy,
        file.open("wb") as csv,
    ):
        for block in copy:
            csv.write(block)
    engine.query(f"INSERT INTO {table} FROM INFILE '{file}' FORMAT CSV")
    file.unlink()

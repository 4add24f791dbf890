"""local-bigquery with one thing put right: MERGE inside a transaction.

It begins a transaction for every MERGE and takes the refusal for a sign that one is open already; but
DuckDB gives up the open one when another is begun. Here the refusal comes without asking DuckDB.
"""

import duckdb
from local_bigquery.cli import main
from local_bigquery.jobs import merge

_run = merge.run


class _Open:
    """A cursor whose transaction is open: to begin another one is refused."""

    def __init__(self, cursor):
        self._cursor = cursor

    def __getattr__(self, name):
        return getattr(self._cursor, name)

    def execute(self, sql, *parameters):
        if sql == "BEGIN":
            raise duckdb.TransactionException("a transaction is open")
        return self._cursor.execute(sql, *parameters)


def _transaction(cursor):
    return cursor.execute("SELECT txid_current()").fetchone()


def _run_merge(cursor, tree, context):
    # Outside of a transaction every statement is one of its own.
    is_open = _transaction(cursor) == _transaction(cursor)
    return _run(_Open(cursor) if is_open else cursor, tree, context)


merge.run = _run_merge
main()

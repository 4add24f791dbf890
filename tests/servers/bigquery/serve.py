"""local-bigquery with one thing put right: MERGE inside a transaction.

It begins a transaction for every MERGE and takes the refusal for a sign that one is open already; but
DuckDB gives up the open one when another is begun. Here the refusal comes without asking DuckDB.
"""

import duckdb
from local_bigquery.cli import main
from local_bigquery.jobs import merge, query
from sqlglot import exp

# Where a script's context notes that its transaction is open.
OPEN = "podledger.transaction"

_run_statement = query._run
_run_merge = merge.run


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


def _statement(cursor, tree, context, *rest):
    result = _run_statement(cursor, tree, context, *rest)
    if isinstance(tree, exp.Transaction):
        context.system[OPEN] = True
    elif isinstance(tree, (exp.Commit, exp.Rollback)):
        context.system.pop(OPEN, None)
    return result


def _merge(cursor, tree, context):
    return _run_merge(_Open(cursor) if OPEN in context.system else cursor, tree, context)


query._run = _statement
merge.run = _merge
main()

"""Puts DuckDB's extensions where it looks for them, below HOME, from the wheels: no internet later."""

from duckdb_extensions import import_extension

for name in ("icu", "ducklake", "spatial"):
    import_extension(name)

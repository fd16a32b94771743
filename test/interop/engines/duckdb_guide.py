"""Runs the SQL of the guide, given on standard input; INSTALL is left out, since the extensions come as Python packages here."""
import sys

import duckdb

from duckdb_extension import load_extensions

connection = duckdb.connect()
load_extensions(connection)
for statement in sys.stdin.read().split(";"):
    if statement.strip() and not statement.strip().startswith("INSTALL"):
        connection.execute(statement).fetchall()

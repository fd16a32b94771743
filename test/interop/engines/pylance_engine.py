import lance

from common import SPEC, engine, operation, rows_of

engine("pylance", lance.__version__)


def scan(state, columns):
    return rows_of(lance.dataset(SPEC["lance"]["path"], version=state).to_table(columns=columns), columns)


operation("scan at the committed version", lambda: scan(SPEC["lance"]["version"], SPEC["columns"]["notes"]))
operation("time travel", lambda: scan(SPEC["lance"]["earlier"], SPEC["columns"]["notes"]))
operation(
    "filter",
    lambda: rows_of(
        lance.dataset(SPEC["lance"]["path"], version=SPEC["lance"]["version"]).to_table(
            columns=SPEC["columns"]["notes"], filter="size >= 120"
        ),
        SPEC["columns"]["notes"],
    ),
)

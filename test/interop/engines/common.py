"""What the scripts of all engines share: they are told where the tables are, and print one line of JSON for each operation."""
import datetime
import decimal
import json
import sys

SPEC = json.loads(sys.stdin.read())
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    """A value as JSON has it, times in microseconds."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return (value - EPOCH) // datetime.timedelta(microseconds=1)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, decimal.Decimal):
        return str(value)
    return value


def rows_of(table, columns):
    """The named columns of an Arrow table."""
    picked = table.select(columns)
    return [{name: plain(value) for name, value in row.items()} for row in picked.to_pylist()]


def types_of(table, columns):
    names = {"large_string": "string", "string_view": "string"}
    return {name: names.get(str(table.schema.field(name).type), str(table.schema.field(name).type)) for name in columns}


def engine(name, version):
    print(json.dumps({"engine": name, "version": version}), flush=True)


def operation(name, run):
    """Runs it and prints what it returns, or why it did not."""
    try:
        print(json.dumps({"operation": name, "value": run()}), flush=True)
    except Exception as error:  # whatever an engine throws is a result here
        text = f"{type(error).__name__}: {error}"
        print(json.dumps({"operation": name, "error": text[:2000]}), flush=True)


def refusal(run):
    """What an attempt that must not succeed is told."""
    try:
        run()
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:500]
    return "accepted"

import { type ArrowData, arrow, BytesBuilder, BytesReader, FieldScan, NULL_FIELD } from '../../lakehouse/index.ts';

/**
 * `_extra` without its nulls. A null field is in `_extra` only when its record was compacted before the field became a column, so
 * showing it would say how records were split into compactions.
 */
export function plainExtra(data: ArrowData, rows: number): ArrowData {
  if (data.nullCount === rows) return data;
  const source = new BytesReader(data);
  const fields = new FieldScan();
  const plain = new BytesBuilder(rows, 32);
  for (let row = 0; row < rows; row++) {
    if (source.isNull(row)) continue;
    const text = withoutNulls(source, row, fields);
    if (text !== null) plain.setText(row, text);
  }
  return plain.finish(new arrow.Utf8());
}

/** Null when nothing is left. A value that is no object stays as it is. */
function withoutNulls(source: BytesReader, row: number, fields: FieldScan): string | null {
  const { bytes } = source;
  if (!fields.scan(bytes, source.start(row), source.end(row))) return source.text(row);
  const kept: string[] = [];
  for (let field = 0; field < fields.count; field++) {
    if (fields.kind[field] === NULL_FIELD) continue;
    kept.push(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(
        'utf8',
        fields.nameStart[field] - 1,
        fields.valueEnd[field],
      ),
    );
  }
  if (kept.length === fields.count) return source.text(row);
  return kept.length === 0 ? null : `{${kept.join(',')}}`;
}

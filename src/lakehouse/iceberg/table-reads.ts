import { byteString, TailwaterError } from '../../base/index.ts';
import { type ArrowBatch, arrow } from '../columns/arrow.ts';
import { recordColumns } from '../columns/arrow-schema.ts';
import { BytesBuilder } from '../columns/builders.ts';
import { columnData, Int64Reader } from '../columns/column-readers.ts';
import { RowDecoder } from '../columns/decode-rows.ts';
import { keyText } from '../columns/encode-rows.ts';
import { decodePlan } from '../columns/value-decoder.ts';
import { type ParquetOptions, type ParquetRows, PLACE_FACTOR } from '../datasets/parquet-rows.ts';
import type { TableRow, TableSchema } from '../table-types.ts';
import { intOf, longOf, rangeOf } from './bounds.ts';
import { type Duck, duckText } from './duck.ts';
import { CHUNK_ROWS, toChunk } from './duck-columns.ts';
import { fieldNamed } from './fields.ts';
import { explainFault } from './file-checks.ts';
import type { IcebergContext } from './iceberg-context.ts';
import type { IcebergField, TableFile } from './iceberg-types.ts';
import { currentSchema } from './metadata.ts';
import {
  countFiles,
  type FileQuery,
  fromFiles,
  isNullIn,
  type ReadBatch,
  type ReadFile,
  readFiles,
  readName,
} from './parquet-reader.ts';
import type { DeletedRows } from './position-deletes.ts';
import type { IcebergTable } from './table-loader.ts';

/** Up to this many keys are named in the query, so that files and row groups whose range has none of them are left out. */
const MAX_NAMED_KEYS = 256;

/** What a dataset holds, committed or on its way. */
export interface TableView {
  data: readonly TableFile[];
  deleted: DeletedRows;
  fields: readonly IcebergField[];
  pathOf(file: TableFile): string;
  /** Makes files readable at their paths until what is returned is called. */
  hold(files: readonly TableFile[]): Promise<() => void>;
  /** The error that says what is wrong, given what reading these files threw. */
  explain(error: unknown, files: readonly TableFile[]): Promise<unknown>;
}

/** The part of a view that depends on where its files are. `version`: what they are read for. */
export function placeOf(
  { files }: Pick<IcebergContext, 'files'>,
  folder: string,
  version: number | null,
): Pick<TableView, 'pathOf' | 'hold' | 'explain'> {
  return {
    pathOf: file => files.enginePath(`${folder}/data/${file.name}`),
    hold: read => files.hold(read.map(file => `${folder}/data/${file.name}`)),
    explain: (error, read) => explainFault(files, folder, version, read, error),
  };
}

export async function viewOf(context: Pick<IcebergContext, 'files' | 'deletes'>, table: IcebergTable): Promise<TableView> {
  const { folder, version, data } = table;
  const place = placeOf(context, folder, version);
  try {
    const deleted = await context.deletes.of(folder, table.deletes);
    return { ...place, data, deleted, fields: currentSchema(table.metadata).fields };
  } catch (error) {
    throw await place.explain(error, table.deletes);
  }
}

/** Where a row lies. */
export interface RowPlace {
  file: string;
  position: number;
}

export interface PlacedRow extends RowPlace {
  row: TableRow;
}

export class TableReads {
  readonly #duck: Duck;
  readonly #view: TableView;

  constructor(duck: Duck, view: TableView) {
    this.#duck = duck;
    this.#view = view;
  }

  get fields(): readonly IcebergField[] {
    return this.#view.fields;
  }

  /** Live rows with the columns of these names. */
  async *batches(
    names: readonly string[],
    where: string | null,
    options: { places?: boolean; only?: (file: TableFile) => boolean; sorted?: boolean } = {},
  ): AsyncGenerator<ReadBatch> {
    const query = this.#query(names, where, options.only);
    if (options.sorted) query.orderBy = fieldNamed(this.#view.fields, '_seq');
    try {
      yield* readFiles(this.#duck, query, options);
    } catch (error) {
      throw await this.#explained(error, query);
    }
  }

  /** Whether the live rows lie in rising `_seq`, file after file: so they do where compactions appended and nothing sorts them otherwise. */
  async liesInSeqOrder(): Promise<boolean> {
    let before = -1;
    for await (const { batch, live } of this.batches(['_seq'], null)) {
      const seqs = new Int64Reader(columnData(batch, '_seq'));
      for (const at of live) {
        const seq = seqs.number(at);
        if (seq < before) return false;
        before = seq;
      }
    }
    return true;
  }

  async *rows(schema: TableSchema, where: string | null, only?: (file: TableFile) => boolean): AsyncGenerator<TableRow[]> {
    const plan = decodePlan(schema);
    for await (const { batch, live } of this.batches(recordColumns(schema), where, only === undefined ? {} : { only })) {
      const decoder = new RowDecoder(plan, batch);
      if (live.length > 0) yield Array.from(live, at => decoder.row(at));
    }
  }

  count(where: string | null): Promise<number> {
    const query = this.#query([], where);
    if (where === null) return Promise.resolve(liveCount(this.#view));
    return countFiles(this.#duck, query).catch(async error => {
      throw await this.#explained(error, query);
    });
  }

  async byKeys(schema: TableSchema, keys: readonly Uint8Array[]): Promise<PlacedRow[]> {
    if (keys.length === 0) return [];
    const wanted = new Set(keys.map(byteString));
    const texts = keys.map(keyText);
    const query = this.#query(recordColumns(schema), null, file => mayHoldKey(this.#keyId(), file, texts));
    const found: PlacedRow[] = [];
    const plan = decodePlan(schema);
    const collect = ({ batch, live, places }: ReadBatch): void => {
      const decoder = new RowDecoder(plan, batch);
      for (const at of live) {
        const row = decoder.row(at);
        if (row.key === null || !wanted.has(byteString(row.key))) continue;
        found.push({ row, file: query.files[places!.file[at]].file.name, position: places!.position[at] });
      }
    };
    const read = async (where: string): Promise<void> => {
      try {
        for await (const batch of readFiles(this.#duck, { ...query, where }, { places: true })) collect(batch);
      } catch (error) {
        throw await this.#explained(error, query);
      }
    };
    const column = this.columnOf('_key_text');
    if (texts.length === 1) await read(`${column} = ${duckText(texts[0])}`);
    else if (texts.length <= MAX_NAMED_KEYS) await read(`${column} IN (${texts.map(duckText).join(', ')})`);
    else if (query.files.length > 0) await this.#withTexts(texts, table => read(`${column} IN (SELECT text FROM ${table})`));
    return found;
  }

  /** Where the rows of these seqs lie; those that are not there are left out. */
  async placesOf(seqs: ReadonlySet<number>): Promise<RowPlace[]> {
    const ordered = Float64Array.from(seqs).sort();
    const [first, last] = [ordered[0], ordered.at(-1)!];
    const seq = fieldNamed(this.#view.fields, '_seq');
    const query = this.#query(['_seq'], `${readName(seq)} BETWEEN ${first} AND ${last}`, file => {
      const { low, high } = rangeOf(file, seq.id, bytes => Number(longOf(bytes)));
      return low <= last && first <= high;
    });
    const found: RowPlace[] = [];
    try {
      for await (const { batch, live, places } of readFiles(this.#duck, query, { places: true })) {
        const values = new Int64Reader(columnData(batch, '_seq'));
        for (const at of live) {
          if (!seqs.has(values.number(at))) continue;
          found.push({ file: query.files[places!.file[at]].file.name, position: places!.position[at] });
        }
      }
    } catch (error) {
      throw await this.#explained(error, query);
    }
    return found;
  }

  /** Rows of a partition with offsets in [first, last], in any order. */
  async byOffsets(schema: TableSchema, partition: number, first: number, last: number): Promise<TableRow[]> {
    const where = `${this.columnOf('_partition')} = ${partition} AND ${this.columnOf('_offset')} BETWEEN ${first} AND ${last}`;
    const rows: TableRow[] = [];
    for await (const batch of this.rows(schema, where, file => mayHoldOffsets(this.#view.fields, file, partition, first, last))) {
      rows.push(...batch);
    }
    return rows;
  }

  /** For another DuckDB, which reads the files itself. */
  parquet({ timeMicros: time }: ParquetOptions): ParquetRows {
    const { fields } = this.#view;
    const timeId = fieldNamed(fields, '_time').id;
    const query = this.#query([], null, file => {
      const { low, high } = rangeOf(file, timeId, bytes => Number(longOf(bytes)));
      return time === undefined || (low <= time.high && time.low <= high);
    });
    const { files } = query;
    const rows = files.reduce((sum, { file }) => sum + file.records, 0);
    return {
      paths: files.map(({ path }) => path),
      from: fromFiles(files, fields, rows),
      columnOf: name => this.columnOf(name),
      isNull: name => files.every(({ file }) => isNullIn(file, fieldNamed(fields, name))),
      deletedPlaces: files.flatMap(({ deleted }, at) => Array.from(deleted ?? [], position => at * PLACE_FACTOR + position)),
      hold: () => query.hold(files),
      explain: error => this.#explained(error, query),
    };
  }

  columnOf(name: string): string {
    const field = this.#view.fields.find(each => each.name === name);
    if (field !== undefined) return readName(field);
    throw new TailwaterError('TW_BAD_REQUEST', {
      detail: `A condition names the column ${name}, which the table does not have.`,
    });
  }

  isNull(name: string): boolean {
    const { data, fields } = this.#view;
    const field = fieldNamed(fields, name);
    return data.every(file => isNullIn(file, field));
  }

  #explained(error: unknown, query: FileQuery): Promise<unknown> {
    return this.#view.explain(
      error,
      query.files.map(({ file }) => file),
    );
  }

  #keyId(): number {
    return fieldNamed(this.#view.fields, '_key_text').id;
  }

  #firstSeq(file: TableFile): number {
    return rangeOf(file, fieldNamed(this.#view.fields, '_seq').id, bytes => Number(longOf(bytes))).low;
  }

  #query(names: readonly string[], where: string | null, only: (file: TableFile) => boolean = () => true): FileQuery {
    const { data, deleted, fields, pathOf, hold } = this.#view;
    // As compactions appended them.
    const files = data
      .filter(only)
      .toSorted((a, b) => this.#firstSeq(a) - this.#firstSeq(b))
      .map((file): ReadFile => ({ file, path: pathOf(file), deleted: deleted.get(file.name) ?? null }));
    return {
      files,
      tableFields: fields,
      fields: names.map(name => fieldNamed(fields, name)),
      where,
      hold: read => hold(read.map(({ file }) => file)),
    };
  }

  #withTexts(texts: readonly string[], work: (table: string) => Promise<void>): Promise<void> {
    return this.#duck.withTable(async (connection, table) => {
      await connection.run(`CREATE TABLE ${table} (text VARCHAR)`);
      const appender = await connection.createAppender(table);
      const batch = textBatch(texts);
      const fields: IcebergField[] = [{ id: 1, name: 'text', required: true, type: 'string' }];
      for (let start = 0; start < texts.length; start += CHUNK_ROWS) {
        appender.appendDataChunk(toChunk(fields, batch, start, Math.min(CHUNK_ROWS, texts.length - start), null));
      }
      appender.closeSync();
      await work(table);
    });
  }
}

export function liveCount({ data, deleted }: Pick<TableView, 'data' | 'deleted'>): number {
  return data.reduce((sum, file) => sum + file.records - (deleted.get(file.name)?.size ?? 0), 0);
}

function textBatch(texts: readonly string[]): ArrowBatch {
  const builder = new BytesBuilder(texts.length, 16);
  for (const [row, text] of texts.entries()) builder.setText(row, text);
  const type = new arrow.Utf8();
  const fields = [new arrow.Field('text', type, false)];
  const children = [builder.finish(type)];
  const struct = arrow.makeData({ type: new arrow.Struct(fields), length: texts.length, nullCount: 0, children });
  return new arrow.RecordBatch(new arrow.Schema(fields), struct);
}

function mayHoldKey(keyId: number, file: TableFile, texts: readonly string[]): boolean {
  const lower = file.lower.get(keyId);
  const upper = file.upper.get(keyId);
  if (texts.length > MAX_NAMED_KEYS) return true;
  return texts.some(text => {
    const bytes = Buffer.from(text);
    return (
      (lower === undefined || Buffer.compare(bytes, lower) >= 0) && (upper === undefined || Buffer.compare(bytes, upper) <= 0)
    );
  });
}

function mayHoldOffsets(
  fields: readonly IcebergField[],
  file: TableFile,
  partition: number,
  first: number,
  last: number,
): boolean {
  const partitions = rangeOf(file, fieldNamed(fields, '_partition').id, bytes => intOf(bytes));
  const offsets = rangeOf(file, fieldNamed(fields, '_offset').id, bytes => Number(longOf(bytes)));
  return partitions.low <= partition && partition <= partitions.high && offsets.low <= last && first <= offsets.high;
}

/** Whether a file may hold a row above the watermark. */
export function mayBeAbove(fields: readonly IcebergField[], file: TableFile, watermark: readonly number[]): boolean {
  const partitions = rangeOf(file, fieldNamed(fields, '_partition').id, bytes => intOf(bytes));
  const offsets = rangeOf(file, fieldNamed(fields, '_offset').id, bytes => Number(longOf(bytes)));
  if (partitions.high >= watermark.length) return true;
  return watermark.some((mark, partition) => partition >= partitions.low && partition <= partitions.high && offsets.high > mark);
}

import { TailwaterError } from '../../base/index.ts';
import type { TableColumn, TableSchema } from '../table-types.ts';
import type { ArrowBatch } from './arrow.ts';
import { ByteSink } from './byte-sink.ts';
import { BoolReader, BytesReader, columnData, Int64Reader, NumberReader } from './column-readers.ts';
import { type Layout, type LayoutStep, NO_VALUE, parseLayout } from './layout.ts';
import * as scan from './scan.ts';
import { type Group, type ValueTree, valueTree } from './value-tree.ts';

type UserReader = BytesReader | Int64Reader | NumberReader | BoolReader;

const MAX_CACHED_LAYOUTS = 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const NULL_TEXT = Buffer.from('null');
const TRUE_TEXT = Buffer.from('true');
const FALSE_TEXT = Buffer.from('false');

/** What of a schema decoding needs; made once per schema. */
export interface DecodePlan {
  schema: TableSchema;
  tree: ValueTree;
  /** Per column and per group, its name as a JSON string. */
  columnNames: Uint8Array[];
  groupNames: Uint8Array[];
  layouts: Map<string, Layout>;
}

export function decodePlan(schema: TableSchema): DecodePlan {
  const tree = valueTree(schema);
  const quoted = (each: { name: string }): Uint8Array => Buffer.from(JSON.stringify(each.name));
  return { schema, tree, columnNames: tree.leaves.map(quoted), groupNames: tree.groups.map(quoted), layouts: new Map() };
}

/** Rebuilds the JSON texts of a batch's rows. */
export class ValueDecoder {
  readonly #plan: DecodePlan;
  readonly #readers: UserReader[];
  readonly #extra: BytesReader;
  readonly #layout: BytesReader;
  readonly #raw: BytesReader;
  readonly #sink = new ByteSink();
  readonly #rest = new ExtraFields();
  readonly #open: Group[] = [];
  #row = 0;
  #spaced = false;
  /** Whether the innermost open object has no field yet. */
  #first = true;

  constructor(plan: DecodePlan, batch: ArrowBatch) {
    this.#plan = plan;
    this.#readers = plan.schema.columns.map(column => userReader(batch, column));
    this.#extra = new BytesReader(columnData(batch, '_extra'));
    this.#layout = new BytesReader(columnData(batch, '_layout'));
    this.#raw = new BytesReader(columnData(batch, '_raw'));
  }

  value(row: number): Uint8Array | null {
    if (!this.#raw.isNull(row)) return this.#raw.copy(row);
    const layout = this.#layout.text(row);
    if (layout === NO_VALUE) return null;
    const { spaced, steps } = layout === null ? DEFAULT : this.#layoutOf(layout);
    this.#row = row;
    this.#spaced = spaced;
    this.#enter(this.#plan.tree.root);
    if (steps === null) this.#columns(0, this.#readers.length - 1);
    else {
      this.#rest.begin(this.#extra, row);
      for (const step of steps) this.#step(step);
    }
    while (this.#open.length > 0) this.#leave();
    return this.#sink.take();
  }

  #step(step: LayoutStep): void {
    switch (step.kind) {
      case 'columns':
        this.#run(step.first, step.last);
        break;
      case 'null':
        this.#name(this.#plan.columnNames[step.column]);
        this.#sink.all(NULL_TEXT);
        break;
      case 'fraction':
        this.#column(step.column);
        this.#sink.ascii('.0');
        break;
      case 'extra':
        this.#comma();
        this.#rest.next(this.#sink, this.#spaced, this.#open.at(-1)!);
        break;
      case 'enter':
        this.#enterNamed(this.#plan.tree.groups[step.group]);
        this.#rest.enter(this.#open.at(-1)!);
        break;
      case 'leave':
        this.#rest.leave();
        this.#leave();
    }
  }

  #run(first: number, last: number): void {
    for (let column = first; column <= last; column++) if (!this.#readers[column].isNull(this.#row)) this.#column(column);
  }

  /** Columns in order, opening and closing the objects they are in. */
  #columns(first: number, last: number): void {
    const { parents } = this.#plan.tree;
    for (let column = first; column <= last; column++) {
      if (this.#readers[column].isNull(this.#row)) continue;
      const path = parents[column];
      while (this.#open.length > 1 && this.#open.at(-1) !== path[this.#open.length - 2]) this.#leave();
      while (this.#open.length - 1 < path.length) this.#enterNamed(path[this.#open.length - 1]);
      this.#column(column);
    }
  }

  #column(column: number): void {
    this.#name(this.#plan.columnNames[column]);
    const reader = this.#readers[column];
    const row = this.#row;
    if (reader instanceof BytesReader) {
      if (this.#plan.schema.columns[column].type === 'json') this.#sink.push(reader.bytes, reader.start(row), reader.end(row));
      else this.#string(reader, row);
    } else if (reader instanceof Int64Reader) this.#sink.ascii(reader.digits(row));
    else if (reader instanceof NumberReader) this.#sink.ascii(String(reader.number(row)));
    else this.#sink.all(reader.flag(row) ? TRUE_TEXT : FALSE_TEXT);
  }

  #string(reader: BytesReader, row: number): void {
    const start = reader.start(row);
    const end = reader.end(row);
    if (needsEscapes(reader.bytes, start, end)) {
      this.#sink.all(Buffer.from(JSON.stringify(reader.text(row))));
      return;
    }
    this.#sink.byte(QUOTE);
    this.#sink.push(reader.bytes, start, end);
    this.#sink.byte(QUOTE);
  }

  #name(quoted: Uint8Array): void {
    this.#comma();
    this.#sink.all(quoted);
    this.#sink.byte(COLON);
    if (this.#spaced) this.#sink.byte(SPACE);
  }

  #comma(): void {
    if (!this.#first) {
      this.#sink.byte(COMMA);
      if (this.#spaced) this.#sink.byte(SPACE);
    }
    this.#first = false;
  }

  #enterNamed(group: Group): void {
    this.#name(this.#plan.groupNames[group.id]);
    this.#enter(group);
  }

  #enter(group: Group): void {
    this.#open.push(group);
    this.#sink.byte(OPEN);
    this.#first = true;
  }

  #leave(): void {
    this.#open.pop();
    this.#sink.byte(CLOSE);
    this.#first = false;
  }

  #layoutOf(text: string): Layout {
    const known = this.#plan.layouts.get(text);
    if (known !== undefined) return known;
    if (this.#plan.layouts.size >= MAX_CACHED_LAYOUTS) this.#plan.layouts.clear();
    const layout = parseLayout(text);
    this.#plan.layouts.set(text, layout);
    return layout;
  }
}

const DEFAULT: Layout = { spaced: false, steps: null };

/** The fields of a row's `_extra`, taken one by one; objects of the schema's groups nest as they do in the value. */
class ExtraFields {
  readonly #levels: { fields: scan.FieldScan; at: number }[] = [];
  #depth = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  begin(extra: BytesReader, row: number): void {
    this.#depth = 0;
    this.#bytes = extra.bytes;
    const level = this.#level();
    level.at = 0;
    level.fields.count = 0;
    if (extra.isNull(row)) return;
    if (!level.fields.scan(extra.bytes, extra.start(row), extra.end(row))) throw damaged();
  }

  next(sink: ByteSink, spaced: boolean, group: Group): void {
    const level = this.#level();
    const { fields } = level;
    while (level.at < fields.count && this.#groupAt(fields, level.at, group) !== undefined) level.at++;
    const at = level.at++;
    if (at >= fields.count) throw damaged();
    sink.push(this.#bytes, fields.nameStart[at] - 1, fields.nameEnd[at] + 1);
    sink.byte(COLON);
    if (spaced) sink.byte(SPACE);
    sink.push(this.#bytes, fields.valueStart[at], fields.valueEnd[at]);
  }

  enter(group: Group): void {
    const outer = this.#level().fields;
    this.#depth++;
    const level = this.#level();
    level.at = 0;
    level.fields.count = 0;
    for (let at = 0; at < outer.count; at++) {
      if (outer.kind[at] !== scan.OBJECT || this.#name(outer, at) !== group.name) continue;
      if (!level.fields.scan(this.#bytes, outer.valueStart[at], outer.valueEnd[at])) throw damaged();
    }
  }

  leave(): void {
    this.#depth--;
  }

  #groupAt(fields: scan.FieldScan, at: number, group: Group): Group | undefined {
    if (fields.kind[at] !== scan.OBJECT) return undefined;
    const member = group.byName.get(this.#name(fields, at));
    return member?.kind === 'group' ? member : undefined;
  }

  #name(fields: scan.FieldScan, at: number): string {
    const start = fields.nameStart[at];
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, fields.nameEnd[at] - start).toString();
  }

  #level(): { fields: scan.FieldScan; at: number } {
    this.#levels[this.#depth] ??= { fields: new scan.FieldScan(), at: 0 };
    return this.#levels[this.#depth];
  }
}

function damaged(): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail: 'The _extra of a row does not fit its layout.' });
}

function userReader(batch: ArrowBatch, column: TableColumn): UserReader {
  const data = columnData(batch, column.name);
  switch (column.type) {
    case 'bool':
      return new BoolReader(data);
    case 'int64':
      return new Int64Reader(data);
    case 'float64':
      return new NumberReader(data);
    default:
      return new BytesReader(data);
  }
}

function needsEscapes(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte < SPACE || byte === QUOTE || byte === BACKSLASH) return true;
  }
  return false;
}

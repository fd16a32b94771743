import { isDeeperThan, type JsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';
import type { RecordHeader, StreamDefinition } from '../../streams/index.ts';
import { hasTooManyFields } from './field-count.ts';
import { checkGivenVector } from './given-vector.ts';
import { headersOf } from './headers.ts';
import type { Envelope, RecordLimits } from './input.ts';
import { keyOf } from './keys.ts';
import { compileSchema, type SchemaCheck } from './schema-check.ts';
import { eventTimeOf } from './times.ts';

/** A record that may be written. */
export interface AdmittedRecord {
  key: Uint8Array | null;
  timeMs: number;
  headers: RecordHeader[] | null;
  value: JsonObject | null;
}

/** What a stream demands of a record. Pure but for the compiled schema. */
export class RecordRules {
  readonly definition: StreamDefinition;
  readonly #limits: RecordLimits;
  readonly #check: SchemaCheck | null;

  constructor(definition: StreamDefinition, limits: RecordLimits) {
    this.definition = definition;
    this.#limits = limits;
    this.#check = definition.schema === null ? null : compileSchema(definition.schema);
  }

  /**
   * `text` is the value's JSON, `byteLength` its size. Throws TW_SCHEMA_MISMATCH, TW_KEY_REQUIRED, TW_EVENT_TIME, TW_RECORD_TOO_LARGE,
   * TW_TOO_DEEP or TW_TOO_MANY_FIELDS: the record is then rejected, its batch is not.
   */
  admit(envelope: Envelope, value: JsonValue | undefined, text: () => string, byteLength: number, nowMs: number): AdmittedRecord {
    const { maxRecordBytes, maxFields, maxDepth, maxFutureMs } = this.#limits;
    if (byteLength > maxRecordBytes) throw tooLarge('The value', byteLength, maxRecordBytes);
    // A level takes two brackets at least, so that short records need no walk.
    if (byteLength > 2 * maxDepth && isDeeperThan(value, maxDepth)) {
      throw new TailwaterError('TW_TOO_DEEP', { detail: `The value is nested deeper than ${maxDepth} levels.` });
    }
    const object = this.#objectOf(value);
    if (object !== null && hasTooManyFields(object, byteLength, maxFields)) {
      throw new TailwaterError('TW_TOO_MANY_FIELDS', { detail: `The record has more than ${maxFields} distinct fields.` });
    }
    if (object !== null) {
      this.#checkSchema(object);
      checkGivenVector(this.definition, object);
    }
    const parsed = { value: object, text };
    return {
      key: this.#boundedKey(keyOf(this.definition, envelope.key, parsed)),
      timeMs: eventTimeOf(this.definition, envelope.time, parsed, nowMs, maxFutureMs),
      headers: headersOf(envelope.headers),
      value: object,
    };
  }

  #objectOf(value: JsonValue | undefined): JsonObject | null {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
    if (value === null && this.definition.kind === 'upsert') return null;
    const found =
      value === undefined ? 'missing' : value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
    const hint = value === null ? '; only upsert streams have deletions' : '';
    throw new TailwaterError('TW_SCHEMA_MISMATCH', { detail: `A value must be a JSON object; it is ${found}${hint}.` });
  }

  #checkSchema(value: JsonObject): void {
    const fault = this.#check?.(value) ?? null;
    if (fault !== null)
      throw new TailwaterError('TW_SCHEMA_MISMATCH', { detail: `The record does not match the schema: ${fault}.` });
  }

  #boundedKey(key: Uint8Array | null): Uint8Array | null {
    if (key !== null && key.length > this.#limits.maxKeyBytes) throw tooLarge('The key', key.length, this.#limits.maxKeyBytes);
    return key;
  }
}

function tooLarge(what: string, bytes: number, limit: number): TailwaterError {
  return new TailwaterError('TW_RECORD_TOO_LARGE', { detail: `${what} has ${bytes} bytes; at most ${limit} are allowed.` });
}

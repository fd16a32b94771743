import { Ajv, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { type JsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';

const MAX_REPORTED_ERRORS = 3;

/** Says why a value does not match; null when it does. */
export type SchemaCheck = (value: JsonValue) => string | null;

/** Compiles a JSON Schema (draft 7 when it says so, else 2020-12). Throws TW_BAD_REQUEST with the reason when it is no schema. */
export function compileSchema(schema: JsonObject): SchemaCheck {
  let validate: ValidateFunction;
  try {
    const draft7 = String(schema.$schema ?? '').includes('draft-07');
    const ajv = draft7 ? new Ajv({ allErrors: false, strict: false }) : new Ajv2020({ allErrors: false, strict: false });
    addFormats.default(ajv);
    validate = ajv.compile(schema);
  } catch (error) {
    throw new TailwaterError('TW_BAD_REQUEST', {
      detail: `The schema is not valid: ${(error as Error).message}.`,
      data: { field: 'schema' },
    });
  }
  return value => (validate(value) ? null : describe(validate));
}

function describe(validate: ValidateFunction): string {
  const errors = validate.errors ?? [];
  return errors
    .slice(0, MAX_REPORTED_ERRORS)
    .map(
      error => `${error.instancePath === '' ? 'the value' : error.instancePath.slice(1).replaceAll('/', '.')} ${error.message}`,
    )
    .join('; ');
}

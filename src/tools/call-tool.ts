import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { asTailwaterError, isDeeperThan, type JsonObject, TailwaterError } from '../base/index.ts';
import { cutPage, pageStart } from './pages.ts';
import { safeJson } from './safe-json.ts';
import { NOTICE } from './schemas.ts';
import type { Tool, ToolApi } from './tool-types.ts';

export interface ToolSettings {
  /** Of the text of an answer, in bytes. Default 32 KiB. */
  maxResultBytes: number;
}

export const TOOL_DEFAULTS: ToolSettings = { maxResultBytes: 32 * 1024 };

/** What a model reads: `texts` say what `structured` says. */
export type ToolOutcome =
  | { ok: true; texts: string[]; structured: JsonObject }
  /** The text is JSON: `error` with the code, what happened and what to do next. */
  | { ok: false; texts: string[]; error: TailwaterError };

const MAX_DEPTH = 64;
const ajv = new Ajv({ strict: false, validateFormats: false, logger: false, verbose: false });
const compiled = new WeakMap<JsonObject, ValidateFunction>();

/** Runs a tool on arguments that a model wrote. Never rejects: what goes wrong is an outcome that the model can act on. */
export async function callTool(
  tool: Tool,
  api: ToolApi,
  args: unknown,
  settings: ToolSettings = TOOL_DEFAULTS,
): Promise<ToolOutcome> {
  try {
    const checked = checkedArguments(tool, args ?? {});
    const { skip, asOf } = pageStart(tool.name, checked);
    const answer = await tool.run(api, checked, asOf);
    if (answer.prompt !== undefined) return promptOutcome(answer.prompt, answer.members, settings);
    const structured: JsonObject = { notice: NOTICE, ...answer.members };
    if (answer.list !== undefined) {
      const room = settings.maxResultBytes - Buffer.byteLength(safeJson(structured));
      const page = cutPage(tool.name, checked, { items: answer.list.items, skip, asOf: answer.asOf }, room);
      structured[answer.list.name] = page.items;
      if (page.cursor !== null) structured.cursor = page.cursor;
    }
    return { ok: true, texts: [safeJson(structured)], structured };
  } catch (error) {
    return failedOutcome(asTailwaterError(error));
  }
}

function failedOutcome(error: TailwaterError): ToolOutcome {
  const { code, detail, action, retryAfterMs, data } = error.toProblem();
  const facts = {
    code,
    detail,
    action,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(data === undefined ? {} : { data }),
  };
  return { ok: false, texts: [safeJson({ error: facts as JsonObject })], error };
}

function promptOutcome(text: string, members: JsonObject, { maxResultBytes }: ToolSettings): ToolOutcome {
  const rest: JsonObject = { notice: NOTICE, ...members };
  const bytes = Buffer.byteLength(text) + Buffer.byteLength(safeJson(rest));
  if (bytes > maxResultBytes) {
    throw new TailwaterError('TW_CONTEXT_BUDGET', {
      detail: `The text has ${bytes} bytes, more than the ${maxResultBytes} that an answer may have: ask for fewer tokens.`,
      data: { bytes, maxResultBytes },
    });
  }
  return { ok: true, texts: [text, safeJson(rest)], structured: { ...rest, text } };
}

function checkedArguments(tool: Tool, args: unknown): JsonObject {
  if (isDeeperThan(args as JsonObject, MAX_DEPTH)) {
    throw new TailwaterError('TW_BAD_REQUEST', { detail: `The arguments are nested more than ${MAX_DEPTH} deep.` });
  }
  let validate = compiled.get(tool.inputSchema);
  if (validate === undefined) {
    validate = ajv.compile(tool.inputSchema);
    compiled.set(tool.inputSchema, validate);
  }
  if (!validate(args)) throw faultOf(validate.errors![0]);
  return args as JsonObject;
}

/** Names the argument at fault as a model wrote it: `filter.limit`, not `/filter/limit`. */
function faultOf({ instancePath, params, message }: ErrorObject): TailwaterError {
  const { additionalProperty, missingProperty, allowedValues } = params as Record<string, unknown>;
  const own = additionalProperty ?? missingProperty;
  const field = [...instancePath.split('/').slice(1), ...(own === undefined ? [] : [String(own)])].join('.').slice(0, 200);
  const reason =
    additionalProperty !== undefined
      ? 'is not an argument of this tool'
      : missingProperty !== undefined
        ? 'is required'
        : `${message}${Array.isArray(allowedValues) ? `: ${allowedValues.join(', ')}` : ''}`;
  const subject = field === '' ? 'The arguments' : `"${field}"`;
  return new TailwaterError('TW_BAD_REQUEST', { detail: `${subject} ${reason}.`, data: { field, in: 'arguments' } });
}

import { isTailwaterError, type JsonObject } from '../base/index.ts';
import { memoryRow } from '../memory/index.ts';
import type { StreamInfo } from '../server/index.ts';
import { inputOf, outputOf, STREAM } from './schemas.ts';
import type { Tool, ToolApi } from './tool-types.ts';

const DEFAULT_STREAM = 'memories';

/** Keeps a fact as a row that search finds at once. The id is of what is said, so that saying it again changes nothing. */
export const REMEMBER: Tool = {
  name: 'remember',
  title: 'Remember something',
  description:
    'Keeps a fact for later, durable when the call returns and found by `recall` at once. Say in `subject` whom or what it is about. The same text about the same subject is kept once; give an `id` to replace what was kept under it.',
  inputSchema: inputOf(
    {
      text: { type: 'string', minLength: 1, maxLength: 100_000, description: 'The fact, in a sentence that stands alone.' },
      subject: { type: 'string', minLength: 1, maxLength: 1000, description: 'Whom or what it is about, such as a user’s id.' },
      id: { type: 'string', minLength: 1, maxLength: 1000, description: 'Replaces the memory of this id.' },
      attributes: { type: 'object', description: 'More fields to filter by.' },
      stream: { ...STREAM, description: `Where it is kept; default "${DEFAULT_STREAM}", which is made at the first use.` },
    },
    ['text'],
  ),
  outputSchema: outputOf({
    stream: { type: 'string' },
    id: { type: 'string' },
    token: { type: 'string', description: 'Names an instant that has it.' },
  }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(api, args) {
    const stream = String(args.stream ?? DEFAULT_STREAM);
    const { definition } = await streamFor(api, stream);
    const { id, value } = rowOf(args);
    const ownKey = definition.kind === 'upsert' && definition.key === null;
    const answer = await api.append(stream, [{ value, ...(ownKey ? { key: id } : {}) }]);
    return { members: { stream, id, token: answer.token }, asOf: null };
  },
};

async function streamFor(api: ToolApi, name: string): Promise<StreamInfo> {
  try {
    return await api.getStream(name);
  } catch (error) {
    if (!isTailwaterError(error, 'TW_STREAM_NOT_FOUND')) throw error;
    const fields = ['text'];
    return api.createStream(name, { kind: 'upsert', key: 'id', search: { fields }, embed: { fields } });
  }
}

function rowOf({ text, subject, id, attributes }: JsonObject): { id: string; value: JsonObject } {
  const about = subject === undefined ? {} : { subject: String(subject) };
  const row = memoryRow({ text: String(text), ...about, attributes: (attributes as JsonObject | undefined) ?? {} });
  return id === undefined ? row : { id: String(id), value: { ...row.value, id: String(id) } };
}

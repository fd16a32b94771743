import { Ajv } from 'ajv';
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { OpenAiTools, remoteMcpTool, runToolLoop } from '../../../src/adapters/openai/index.ts';
import type { TailwaterApi } from '../../../src/server/index.ts';
import { PLACES, withApi } from '../langchain/support.ts';
import { scriptedServer } from './scripted-server.ts';

async function prepare(api: TailwaterApi): Promise<void> {
  await api.createStream('tickets', { kind: 'upsert', key: 'id', search: { fields: ['text'] } });
  await api.append('tickets', [{ value: { id: 't1', text: 'The parcel is lost.' } }]);
}

const call = (id: string, name: string, args: string) => ({ type: 'function_call', id, call_id: id, name, arguments: args });
const says = (text: string) => ({
  type: 'message',
  id: 'm',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations: [] }],
});

describe.each(PLACES)('tools for OpenAI, %s', place => {
  test('are called by a model through the real client until it answers, with what was written a moment ago', () =>
    withApi(place, async api => {
      await prepare(api);
      await using server = await scriptedServer([
        () => [call('c1', 'search', '{"stream":"tickets","text":"lost parcel"}'), call('c2', 'list_streams', '{}')],
        () => [
          call('c3', 'search', '{"stream":"nowhere","text":"x"}'),
          call('c4', 'fly', '{}'),
          call('c5', 'search', '{"stream":'),
        ],
        () => [says('It is lost.')],
      ]);
      const client = new OpenAI({ apiKey: 'none', baseURL: server.baseURL, maxRetries: 0 });
      const tools = await OpenAiTools.open(api);
      const heard: string[] = [];
      const { text, steps } = await runToolLoop(
        client,
        tools,
        { model: 'scripted', input: 'Where is my parcel?' },
        { onStep: ({ name }) => heard.push(name) },
      );
      expect(text).toBe('It is lost.');
      expect(heard).toEqual(['search', 'list_streams', 'search', 'fly', 'search']);
      expect(steps[0].output).toContain('The parcel is lost.');
      const codes = steps.slice(2).map(({ output }) => JSON.parse(output.split('\n').at(-1)!).error.code);
      expect(codes).toEqual(['TW_STREAM_NOT_FOUND', 'TW_NOT_FOUND', 'TW_MALFORMED_JSON']);
      const last = server.asked[2].input as { type?: string; call_id?: string }[];
      expect(last.filter(({ type }) => type === 'function_call_output').map(({ call_id }) => call_id)).toEqual([
        'c1',
        'c2',
        'c3',
        'c4',
        'c5',
      ]);
    }));

  test('end a model that never stops calling', () =>
    withApi(place, async api => {
      await prepare(api);
      await using server = await scriptedServer(Array.from({ length: 3 }, () => () => [call('c', 'list_streams', '{}')]));
      const client = new OpenAI({ apiKey: 'none', baseURL: server.baseURL, maxRetries: 0 });
      const run = runToolLoop(client, await OpenAiTools.open(api), { model: 'scripted', input: 'Go.' }, { maxTurns: 3 });
      await expect(run).rejects.toMatchObject({ code: 'TW_DEADLINE' });
      expect(server.asked).toHaveLength(3);
    }));
});

describe('schemas for OpenAI', () => {
  test('are strict where that mode can say them, and take what a strict model sends: null for what it leaves out', () =>
    withApi('embedded', async api => {
      await prepare(api);
      const tools = await OpenAiTools.open(api);
      const strict = tools.responses.filter(tool => tool.strict);
      expect(strict.map(({ name }) => name)).toEqual(expect.arrayContaining(['query_sql', 'list_streams', 'get_row']));
      for (const { name, parameters } of strict) checkStrict(name, parameters);
      const sql = strict.find(({ name }) => name === 'query_sql')!;
      const nulls = Object.fromEntries(Object.keys(sql.parameters.properties as object).map(name => [name, null]));
      const args = { ...nulls, sql: 'SELECT count(*) AS n FROM tickets' };
      expect(new Ajv({ strict: false }).validate(sql.parameters, args)).toBe(true);
      expect(await tools.call('query_sql', JSON.stringify(args))).toMatch(/\[\[1\]\]|"n":1/);
      expect(tools.chat[0]).toEqual({ type: 'function', function: { ...tools.responses[0], type: undefined } });
      await expect(OpenAiTools.open(api, { names: ['fly'] })).rejects.toMatchObject({ code: 'TW_NOT_FOUND' });
    }));

  test('a remote server is named by its endpoint', () => {
    expect(remoteMcpTool({ serverUrl: 'https://tw.example/', allowedTools: ['search'] })).toEqual({
      type: 'mcp',
      server_label: 'tailwater',
      server_url: 'https://tw.example/mcp',
      require_approval: 'never',
      allowed_tools: ['search'],
    });
  });
});

/** What OpenAI's strict mode demands of every object in a schema. */
function checkStrict(name: string, schema: unknown): void {
  if (typeof schema !== 'object' || schema === null) return;
  const { type, properties, required, additionalProperties } = schema as Record<string, unknown>;
  if (type === 'object') {
    expect(additionalProperties, name).toBe(false);
    expect(required, name).toEqual(Object.keys(properties as object));
  }
  for (const inner of Object.values(schema)) checkStrict(name, inner);
}

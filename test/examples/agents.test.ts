import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { desktopScript } from '../../examples/agents/desktop/script.ts';
import { incidentScript } from '../../examples/agents/incident/script.ts';
import type { Script, Talk } from '../../examples/agents/model/script.ts';
import { serveModel } from '../../examples/agents/model/server.ts';
import { shopperScript } from '../../examples/agents/shopper/script.ts';
import { supportScript } from '../../examples/agents/support/script.ts';
import { commandsOf, fencedBlocks, relativeLinks } from '../docs/markdown.ts';
import { ROOT } from '../docs/shell.ts';
import { temporaryEngine } from '../server/engine-support.ts';
import { startServer } from '../server/http-support.ts';

const AGENTS = join(ROOT, 'examples', 'agents');
const SLOW_MS = 120_000;

/** Runs the command of a story's README, and returns what it says line by line. */
async function tell(story: string, variables: Record<string, string> = {}): Promise<string[]> {
  const [command] = fencedBlocks(readFileSync(join(AGENTS, story, 'README.md'), 'utf8')).flatMap(commandsOf);
  const script = /^npm run (\S+)$/.exec(command)?.[1] ?? '';
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const [node, ...args] = scripts[script].split(' ');
  expect(node).toBe('node');
  const { TAILWATER_URL, OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL, ...env } = process.env;
  const stdout = await new Promise<string>((resolve, reject) =>
    execFile(process.execPath, args, { cwd: ROOT, env: { ...env, ...variables }, timeout: SLOW_MS }, (error, out, err) =>
      error === null ? resolve(out) : reject(new Error(`${error.message}\n${out}\n${err}`)),
    ),
  );
  return stdout.split('\n');
}

function linesOf(label: string, lines: readonly string[]): string[] {
  return lines.flatMap(line => (line.startsWith(`   ${label} `) ? [line.slice(label.length + 3).trim()] : []));
}

describe('the stories of agents', () => {
  test('support: the answer follows the order, the newest ticket and the policy that fits', { timeout: SLOW_MS }, async () => {
    const [before, then] = linesOf('answer', await tell('support'));
    expect(before).toMatch(/is shipped.*not moved for days.*\[lost-parcels\]$/);
    expect(then).toMatch(/is delivered.*tank is cracked.*\[returns\]$/);
  });

  test('incident: every error is handled once, and the second time the first is remembered', { timeout: SLOW_MS }, async () => {
    const lines = await tell('incident');
    const reports = linesOf('report', lines);
    expect(reports).toHaveLength(2);
    expect(reports[0]).toMatch(/^NOTE checkout: 1 error.*Not seen before/);
    expect(reports[1]).toMatch(/^PAGE checkout: 2 error.*Known: Last error of checkout: Timeout/);
    for (const step of linesOf('step', lines)) expect(step).toContain('applied: true; the same again: false');
    expect(lines).toContain('reports  2 for 2 errors');
  });

  test('shopper: advice follows what the customer looked at and spent a moment ago', { timeout: SLOW_MS }, async () => {
    const lines = await tell('shopper');
    const [before, then] = linesOf('answer', lines);
    expect(before).toBe('ada looks at lamps and has 200 left of 200: take the floor lamp for 150 [P-2].');
    expect(then).toBe('ada looks at jackets and has 50 left of 200: take the wind jacket for 40 [P-4].');
    expect(linesOf('saw', lines).filter(line => line.includes('complete: true'))).toHaveLength(2);
  });

  test('desktop: by the protocol alone, on a server that runs, what changed and what was told are in the next answer', {
    timeout: SLOW_MS,
  }, async () => {
    await using engine = await temporaryEngine();
    await using server = await startServer(engine.tailwater.engine);
    const answers = linesOf('answer', await tell('desktop', { TAILWATER_URL: server.url }));
    expect(answers[0]).toMatch(/leaves at 9 from pier 4/);
    expect(answers[2]).toMatch(/leaves at 11 from pier 2.*\[n1\] You told me: I get seasick/);
    expect((await engine.tailwater.query('memories', { mode: 'filter' })).hits[0].value).toMatchObject({ subject: 'me' });
  });

  test('with a key they ask the model of that endpoint', { timeout: SLOW_MS }, async () => {
    const asked: Talk[] = [];
    const real = await serveModel(talk => {
      asked.push(talk);
      return { text: 'The real model speaks.' };
    });
    try {
      const variables = { OPENAI_API_KEY: 'key', OPENAI_BASE_URL: real.baseURL, OPENAI_MODEL: 'any' };
      expect(linesOf('answer', await tell('support', variables))).toEqual(['The real model speaks.', 'The real model speaks.']);
    } finally {
      await real.close();
    }
    expect(asked[0].tools.sort()).toEqual(['get_row', 'recent_events', 'search_policies']);
    expect(asked[0].system).toContain('You answer for a shop.');
  });

  test('have guides whose links are there', () => {
    for (const file of readdirSync(AGENTS, { recursive: true }).map(String)) {
      if (!file.endsWith('.md')) continue;
      const path = join(AGENTS, file);
      const targets = relativeLinks(readFileSync(path, 'utf8')).map(target => join(dirname(path), target));
      expect(targets.filter(target => !existsSync(target))).toEqual([]);
    }
  });
});

const RECORD = (value: object) => [{ value }];
const ORDER = (state: string): Talk['results'] => [
  { name: 'get_row', arguments: {}, output: JSON.stringify({ rows: RECORD({ item: 'lamp', state }) }) },
  { name: 'recent_events', arguments: {}, output: '{"events":[]}' },
  { name: 'search_policies', arguments: {}, output: '{"hits":[{"id":"returns","text":"R."},{"id":"lost","text":"L."}]}' },
];
const NOTES = (text: string): Talk['results'] => [
  { name: 'search', arguments: {}, output: JSON.stringify({ hits: RECORD({ id: 'n', text }) }) },
  { name: 'recall', arguments: {}, output: '{"memories":[]}' },
];
const COUNT = (errors: number): Talk['results'] => [
  { name: 'query_sql', arguments: {}, output: JSON.stringify({ rows: [[errors, 'E']] }) },
  { name: 'recall', arguments: {}, output: '{"memories":[]}' },
];
const SPENT = (spent_24h: number): Talk['results'] => [
  { name: 'get_features', arguments: {}, output: JSON.stringify({ values: [{ values: { top_categories: null, spent_24h } }] }) },
  { name: 'search', arguments: {}, output: '{"hits":[]}' },
];

describe('the model without a key', () => {
  test.each<[string, Script, string, Talk['results'], Talk['results']]>([
    ['support', supportScript, 'What of O-1?', ORDER('shipped'), ORDER('delivered')],
    ['incident', incidentScript, 'An error in service "a".', COUNT(1), COUNT(2)],
    ['shopper', shopperScript, 'customer "a", budget of 100', SPENT(10), SPENT(20)],
    ['desktop', desktopScript, 'When?', NOTES('At 9.'), NOTES('At 10.')],
  ])('of %s says something else when a tool does', (_, script, question, one, other) => {
    const say = (results: Talk['results']) => script({ system: '', question, tools: [], results }).text;
    expect(say(one)).toBeTypeOf('string');
    expect(say(one)).not.toBe(say(other));
  });

  const echo: Script = ({ results, tools }) =>
    results.length === 0
      ? { calls: tools.map(name => ({ name, arguments: { n: 1 } })) }
      : { text: `The tool said ${results[0].output}.` };

  test('speaks OpenAI’s two protocols, whole and streamed, to OpenAI’s own client', async () => {
    const server = await serveModel(echo);
    try {
      const client = new OpenAI({ baseURL: server.baseURL, apiKey: 'none', maxRetries: 0 });
      const chatTool = { type: 'function' as const, function: { name: 'dice', parameters: {} } };
      const ask = { model: 'scripted', tools: [chatTool], messages: [{ role: 'user' as const, content: 'Roll.' }] };
      const { message } = (await client.chat.completions.create(ask)).choices[0];
      const streamed = await client.chat.completions.stream(ask).finalMessage();
      expect(streamed.tool_calls?.[0]).toMatchObject({ function: { name: 'dice', arguments: '{"n":1}' } });
      const told = { role: 'tool' as const, tool_call_id: message.tool_calls![0].id, content: 'six' };
      const next = { ...ask, messages: [...ask.messages, message, told] };
      expect((await client.chat.completions.create(next)).choices[0].message.content).toBe('The tool said six.');
      expect((await client.chat.completions.stream(next).finalMessage()).content).toBe('The tool said six.');

      const tool = { type: 'function' as const, name: 'dice', parameters: {}, strict: false };
      const first = await client.responses.create({ model: 'scripted', tools: [tool], input: 'Roll.' });
      const live = await client.responses.stream({ model: 'scripted', tools: [tool], input: 'Roll.' }).finalResponse();
      expect(live.output[0]).toMatchObject({ type: 'function_call', name: 'dice', arguments: '{"n":1}' });
      const call = first.output[0] as OpenAI.Responses.ResponseFunctionToolCall;
      const output = { type: 'function_call_output' as const, call_id: call.call_id, output: 'two' };
      const input = [{ role: 'user' as const, content: 'Roll.' }, call, output];
      expect((await client.responses.create({ model: 'scripted', tools: [tool], input })).output_text).toBe('The tool said two.');
      const said = await client.responses.stream({ model: 'scripted', tools: [tool], input }).finalResponse();
      expect(said.output_text).toBe('The tool said two.');
    } finally {
      await server.close();
    }
  });

  test('is refused what it was not offered', async () => {
    const server = await serveModel(() => ({ calls: [{ name: 'fly', arguments: {} }] }));
    try {
      const client = new OpenAI({ baseURL: server.baseURL, apiKey: 'none', maxRetries: 0 });
      const asked = client.chat.completions.create({ model: 'scripted', messages: [{ role: 'user', content: 'Go.' }] });
      await expect(asked).rejects.toThrow('The script calls "fly"');
    } finally {
      await server.close();
    }
  });
});

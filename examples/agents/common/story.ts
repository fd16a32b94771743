import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TailwaterClient } from '../../../src/client.ts';
import { Tailwater, type TailwaterApi } from '../../../src/index.ts';
import { serve } from '../../../src/server/index.ts';
import type { Script } from '../model/script.ts';
import { serveModel } from '../model/server.ts';

/** Of OpenAI, or of whatever speaks its protocol. */
export interface ModelPlace {
  baseURL: string;
  apiKey: string;
  model: string;
}

export interface Story {
  api: TailwaterApi;
  /** Of a server with this data. */
  url: string;
  model: ModelPlace;
  say(text: string): void;
}

/**
 * Tells a story and clears up after it. Tailwater is the server of TAILWATER_URL, else one of its own on a temporary folder and a free port. The model
 * is the script, or with OPENAI_API_KEY a real one: OPENAI_BASE_URL and OPENAI_MODEL say which.
 */
export async function tell(script: Script, story: (story: Story) => Promise<void>): Promise<void> {
  await using ends = new AsyncDisposableStack();
  const { api, url } = await openTailwater(ends);
  const model = await openModel(script, ends);
  await story({ api, url, model, say: text => process.stdout.write(`${text}\n`) });
}

async function openTailwater(ends: AsyncDisposableStack): Promise<{ api: TailwaterApi; url: string }> {
  const url = process.env.TAILWATER_URL;
  if (url !== undefined) {
    const client = new TailwaterClient({ url });
    ends.defer(() => client.close());
    return { api: client, url };
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'tailwater-story-'));
  ends.defer(() => rm(dataDir, { recursive: true, force: true }));
  const tailwater = await Tailwater.open({ dataDir });
  ends.defer(() => tailwater.close());
  const server = await serve(tailwater.engine, { port: 0 });
  ends.defer(() => server.close());
  return { api: tailwater, url: server.url };
}

async function openModel(script: Script, ends: AsyncDisposableStack): Promise<ModelPlace> {
  const { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseURL, OPENAI_MODEL: model } = process.env;
  if (apiKey !== undefined && apiKey !== '') {
    return { apiKey, baseURL: baseURL ?? 'https://api.openai.com/v1', model: model ?? 'gpt-4.1-mini' };
  }
  const server = await serveModel(script);
  ends.defer(() => server.close());
  return { apiKey: 'none', baseURL: server.baseURL, model: 'scripted' };
}

/** What came of a tool, in one line: how fresh it is, and the beginning of what it says. */
export function seen(name: string, output: string): string {
  const { complete, hits, events, memories, rows, values, asOf } = JSON.parse(output.trimEnd().split('\n').at(-1)!);
  const items: { ageMs?: number }[] | undefined = hits ?? events ?? memories ?? rows ?? values;
  if (items === undefined) return `   did      ${name}`;
  const ages = items.flatMap(({ ageMs }) => ageMs ?? []);
  const facts = [
    `${items.length} found`,
    ...(ages.length === 0 ? [] : [`newest ${Math.min(...ages)} ms old`]),
    ...(complete === undefined ? [] : [`complete: ${complete}`]),
    ...(asOf === undefined ? [] : [`as of ${asOf}`]),
  ];
  return `   saw      ${name}: ${facts.join(', ')}`;
}

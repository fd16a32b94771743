import OpenAI from 'openai';
import { OpenAiTools, runToolLoop } from '../../../src/adapters/openai/index.ts';
import type { FollowEvent, JsonObject, TailwaterApi } from '../../../src/index.ts';
import { AgentMemory } from '../../../src/memory/index.ts';
import { type Story, seen, tell } from '../common/story.ts';
import { incidentScript } from './script.ts';

/** An agent on call: follows the errors in a log, looks into each, and writes report and memory with the position, so that each is handled once. */
const CONSUMER = 'on-call';
const INSTRUCTIONS = `You are on call. Count the errors of the service in the stream "logs" by SQL, recall what you know of it, and answer with one line: PAGE at two errors or more, else NOTE.`;

async function load(api: TailwaterApi): Promise<void> {
  await api.createStream('logs', { kind: 'append' });
  await api.createStream('reports', { kind: 'append' });
  await log(api, 'info', 'checkout', 'Order accepted');
  await log(api, 'error', 'checkout', 'Timeout of the payment provider');
}

function log(api: TailwaterApi, level: string, service: string, message: string): Promise<unknown> {
  return api.append('logs', [{ value: { level, service, message } }]);
}

/** A standing query: every error beyond the position, those that are there and those to come. */
function errorsAfter(api: TailwaterApi, position: number): AsyncIterable<FollowEvent> {
  return api.live.matches('logs', { filter: { level: 'error' } }, { from: position + 1 });
}

export async function incident({ api, model, say }: Story): Promise<void> {
  await load(api);
  const client = new OpenAI({ baseURL: model.baseURL, apiKey: model.apiKey });
  const tools = await OpenAiTools.open(api, { names: ['query_sql', 'recall'] });
  const memory = new AgentMemory({ api });
  const investigate = async (service: string): Promise<string> => {
    const { text, steps } = await runToolLoop(client, tools, {
      model: model.model,
      instructions: INSTRUCTIONS,
      input: `An error in service "${service}". What do we do?`,
    });
    for (const step of steps) say(seen(step.name, step.output));
    return text;
  };

  let { position } = await api.stepPosition({ consumer: CONSUMER, stream: 'logs' });
  let handled = 0;
  for await (const { record } of errorsAfter(api, position)) {
    const value = record.value as JsonObject;
    const service = String(value.service);
    say(`\nlog      ${record.offset}: ${service}: ${value.message}`);
    const report = await investigate(service);
    const step = {
      consumer: CONSUMER,
      // Lines in between that are no errors are acknowledged with it.
      input: { stream: 'logs', from: position + 1, offset: record.offset },
      outputs: [{ stream: 'reports', records: [{ value: { of: record.offset, report } }] }],
      memories: [{ subject: service, key: 'last-error', text: `Last error of ${service}: ${value.message}.` }],
      result: report,
    };
    const { applied } = await memory.step(step);
    say(`   report   ${report}`);
    const again = await memory.step(step);
    say(`   step     applied: ${applied}; the same again: ${again.applied}, told “${String(again.result).slice(0, 24)}…”`);
    position = record.offset;
    if (++handled === 2) break;
    say('\n… meanwhile the provider fails again …');
    await log(api, 'info', 'checkout', 'Retrying');
    await log(api, 'error', 'checkout', 'Timeout of the payment provider, again');
  }
  const { rows } = await api.sql('SELECT count(*) AS n FROM reports');
  say(`\nreports  ${rows[0][0]} for ${handled} errors`);
}

if (import.meta.main) await tell(incidentScript, incident);

import type { JsonObject } from '../base/index.ts';
import { recall } from '../memory/index.ts';
import { hitsOf } from './read-tools.ts';
import { FILTER, limitOf, outputOf, paged, READS, STREAM } from './schemas.ts';
import type { Tool } from './tool-types.ts';

const DEFAULT_STREAM = 'memories';
const HOUR_MS = 3_600_000;

/** What `remember` kept, by meaning and age. */
export const RECALL: Tool = {
  name: 'recall',
  title: 'Recall what was remembered',
  description:
    'Finds what was kept by remember, including what was kept a moment ago: by meaning and words when there is a query, newer ones a little before older ones, else the newest first. Name the subject when you know whom or what it is about.',
  inputSchema: paged(
    {
      query: { type: 'string', minLength: 1, maxLength: 10_000, description: 'What to look for, in plain language.' },
      subject: { type: 'string', minLength: 1, maxLength: 1000, description: 'Only what is about it.' },
      session: { type: 'string', minLength: 1, maxLength: 1000, description: 'Only what comes from this conversation.' },
      filter: FILTER,
      halfLifeHours: {
        type: 'number',
        exclusiveMinimum: 0,
        description: 'Age at which the preference for newer ones is halved; default 720.',
      },
      limit: limitOf(100, 10),
      stream: { ...STREAM, description: `Where it was kept; default "${DEFAULT_STREAM}".` },
    },
    [],
  ),
  outputSchema: outputOf(
    {
      complete: { type: 'boolean', description: 'Whether every acknowledged memory was considered.' },
      token: { type: ['string', 'null'], description: 'Names the instant; null while nothing was ever remembered.' },
    },
    { name: 'memories', description: 'Best or newest first.' },
  ),
  annotations: READS,
  async run(api, { stream, halfLifeHours, ...asked }, asOf) {
    const answer = await recall(api, String(stream ?? DEFAULT_STREAM), {
      ...(asked as JsonObject),
      ...(halfLifeHours === undefined ? {} : { recency: { halfLifeMs: Number(halfLifeHours) * HOUR_MS } }),
      ...(asOf === null ? {} : { consistency: { asOf } }),
    });
    if (answer !== null) return hitsOf('memories', answer);
    // Says that a stream that was named is not there; the default one is, as soon as there is something in it.
    if (stream !== undefined) await api.getStream(String(stream));
    return { members: { complete: true, token: null }, list: { name: 'memories', items: [] }, asOf: null };
  },
};

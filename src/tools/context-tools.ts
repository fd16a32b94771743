import { createHash } from 'node:crypto';
import type { JsonObject, JsonValue } from '../base/index.ts';
import type { ContextAnswer, ContextInfo, ContextRequest } from '../context/index.ts';
import { inputOf, outputOf, READS } from './schemas.ts';
import type { Tool, ToolAnswer } from './tool-types.ts';

const DEFAULT_TOKENS = 4000;
const MAX_NAME = 64;
const MAX_DESCRIPTION = 1000;

const CONTEXT_OUTPUT = outputOf({
  text: { type: 'string', description: 'Markdown for the prompt; every block of data is fenced and cited.' },
  tokens: { type: 'integer', description: 'Tokens of `text`.' },
  asOf: { type: 'string', description: 'What counts as now, ISO 8601.' },
  complete: { type: 'boolean', description: 'Whether every part considered every acknowledged record.' },
  failed: { type: 'array', description: 'Parts that failed or were late, with the reason.' },
  droppedItems: { type: 'integer', description: 'Left out for the budget.' },
  token: { type: 'string', description: 'Names the instant: the same call as of it gives the same text.' },
});

const legs = (description: string): JsonObject => ({ type: 'array', items: { type: 'object' }, maxItems: 50, description });

export const GET_CONTEXT: Tool = {
  name: 'get_context',
  title: 'Assemble a context',
  description:
    'One answer for the prompt from several streams at one instant, within a token budget: features, rows, newest events and found documents, cited by number. Prefer it to several single calls. Name at least one part in `include`.',
  inputSchema: inputOf(
    {
      query: { type: 'string', minLength: 1, maxLength: 10_000, description: 'What is looked for in documents.' },
      subject: { type: ['string', 'number', 'object'], description: 'Whom or what it is about, such as a user’s id.' },
      include: {
        ...inputOf(
          {
            features: legs('[{"view": name}]: values of the subject.'),
            rows: legs('[{"stream": name}]: the row whose key is the subject.'),
            events: legs('[{"stream": name, "subjectField": field, "limit": 20}]: newest records of the subject.'),
            documents: legs('[{"stream": name, "limit": 10}]: what the query finds.'),
          },
          [],
        ),
        minProperties: 1,
      },
      budgetTokens: { type: 'integer', minimum: 1, maximum: 100_000, description: `Of the text; default ${DEFAULT_TOKENS}.` },
      asOf: { type: 'string', maxLength: 8192, description: 'A token or an ISO 8601 time; default now.' },
    },
    ['include'],
  ),
  outputSchema: CONTEXT_OUTPUT,
  annotations: READS,
  async run(api, { query, subject, include, budgetTokens, asOf }) {
    const request: ContextRequest = {
      include: include as ContextRequest['include'],
      budget: { tokens: Number(budgetTokens ?? DEFAULT_TOKENS) },
      ...(query === undefined ? {} : { query: String(query) }),
      ...(subject === undefined ? {} : { subject: subject as string }),
      ...(asOf === undefined ? {} : { consistency: { asOf: String(asOf) } }),
    };
    return answerOf(await api.context(request));
  },
};

/** The typed tool of a context that has a name: its parameters are the arguments. */
export function contextTool({ name, definition }: ContextInfo): Tool {
  const parameters = definition.parameters ?? {};
  const required = Object.keys(parameters).filter(each => !Object.hasOwn(parameters[each], 'default'));
  const says = definition.description ?? `Answers from the context "${name}".`;
  return {
    name: toolName(name),
    title: `Context ${name}`,
    description: `${says.slice(0, MAX_DESCRIPTION)} One prompt-ready answer at one instant, cited by number.`,
    inputSchema: inputOf(parameters, required),
    outputSchema: CONTEXT_OUTPUT,
    annotations: READS,
    run: async (api, params) => answerOf(await api.contexts.call(name, { params })),
  };
}

/** Clients take letters, digits, dashes and underscores, at most 64; other names get a mark of their own, so that no two are one. */
function toolName(context: string): string {
  const plain = `context_${context.replaceAll(/[^A-Za-z0-9_-]/g, '_')}`;
  if (plain === `context_${context}` && plain.length <= MAX_NAME) return plain;
  const mark = createHash('sha256').update(context).digest('hex').slice(0, 8);
  return `${plain.slice(0, MAX_NAME - 9)}_${mark}`;
}

function answerOf({ text, tokens, asOf, complete, freshness, dropped, token }: ContextAnswer): ToolAnswer {
  const failed = freshness.filter(({ status }) => status === 'failed').map(({ leg, error }) => ({ leg, ...error }));
  const members = { tokens, asOf, complete, failed: failed as JsonValue, droppedItems: dropped.length, token };
  return { members, prompt: text, asOf: token };
}

import { type JsonObject, type JsonValue, TailwaterError } from '../base/index.ts';
import { outputOf, paged, READS } from './schemas.ts';
import type { Tool, ToolAnswer, ToolApi } from './tool-types.ts';

const ENTITIES: JsonObject = {
  type: 'array',
  minItems: 1,
  maxItems: 1000,
  description: 'Whom the values are of: the entity’s value, or an object of its fields, such as "ann" or {"user":"ann"}.',
};

/** Values of a feature view, or of several at one instant. */
export const GET_FEATURES: Tool = {
  name: 'get_features',
  title: 'Feature values',
  description:
    'Current values of a feature view (windowed counts, sums, latest values and so on) for entities, up to the second. Name one view, or several in `views` to have all of them at one instant.',
  inputSchema: paged(
    {
      view: { type: 'string', minLength: 1, maxLength: 200, description: 'Name of a feature view.' },
      views: {
        type: 'array',
        items: { type: 'string', maxLength: 200 },
        minItems: 1,
        maxItems: 50,
        description: 'Several views.',
      },
      entities: ENTITIES,
      features: {
        type: 'array',
        items: { type: 'string', maxLength: 200 },
        maxItems: 1000,
        description: 'Of one view; default all.',
      },
    },
    ['entities'],
  ),
  outputSchema: outputOf(
    { asOf: { type: 'string', description: 'The instant that windows end at, ISO 8601.' } },
    { name: 'values', description: 'Per view and entity: {view, entity, values}.' },
  ),
  annotations: READS,
  run: (api, args, asOf) => (args.views === undefined ? ofView(api, args, asOf) : ofViews(api, args, asOf)),
};

async function ofView(api: ToolApi, { view, entities, features }: JsonObject, asOf: string | null): Promise<ToolAnswer> {
  if (view === undefined) throw new TailwaterError('TW_BAD_REQUEST', { detail: 'Name a `view`, or several `views`.' });
  const answer = await api.features.online(String(view), {
    entities: entities as JsonValue[],
    ...(features === undefined ? {} : { features: features as string[] }),
    ...(asOf === null ? {} : { asOf }),
  });
  return listed(answer.asOf, valuesOf(answer));
}

async function ofViews(api: ToolApi, args: JsonObject, asOf: string | null): Promise<ToolAnswer> {
  if (args.view !== undefined || args.features !== undefined) {
    throw new TailwaterError('TW_BAD_REQUEST', { detail: '`view` and `features` do not go with `views`.' });
  }
  const entities = args.entities as JsonValue[];
  const answer = await api.features.service({ views: args.views as string[], entities, ...(asOf === null ? {} : { asOf }) });
  return listed(answer.asOf, answer.views.flatMap(valuesOf));
}

function valuesOf({
  view,
  entities,
}: {
  view: string;
  entities: readonly { entity: JsonValue; values: unknown }[];
}): JsonObject[] {
  return entities.map(({ entity, values }) => ({ view, entity, values: values as JsonValue }));
}

function listed(asOf: string, items: JsonObject[]): ToolAnswer {
  return { members: { asOf }, list: { name: 'values', items }, asOf };
}

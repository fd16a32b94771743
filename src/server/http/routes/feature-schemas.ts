import { Type } from '@fastify/type-provider-typebox';
import type { JsonObject } from '../../../base/index.ts';

export const strict = { additionalProperties: false };
export const AnyObject = Type.Unsafe<JsonObject>({ type: 'object' });
export const ViewParams = Type.Object({ view: Type.String({ description: 'Name of the feature view.' }) });
export const Consistency = Type.Object(
  {
    atLeast: Type.Optional(Type.String()),
    strong: Type.Optional(Type.Literal(true)),
    maxStalenessMs: Type.Optional(Type.Number({ minimum: 0 })),
  },
  { ...strict, maxProperties: 1 },
);
export const deadlineMs = Type.Optional(Type.Number({ minimum: 0 }));
export const HistoricalBody = Type.Object(
  {
    views: Type.Array(Type.String(), { minItems: 1 }),
    rows: Type.Array(AnyObject),
    time: Type.Optional(Type.String()),
    asSeen: Type.Optional(Type.Boolean()),
    saveAs: Type.Optional(Type.String({ description: 'Keeps the rows as a dataset of this name.' })),
    label: Type.Optional(Type.String({ description: 'The member to be predicted: adds warnings of what gives it away.' })),
    consistency: Type.Optional(Consistency),
    deadlineMs,
  },
  strict,
);

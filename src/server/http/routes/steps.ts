import { Type } from '@fastify/type-provider-typebox';
import type { JsonObject, JsonValue } from '../../../base/index.ts';
import type { StepRequest } from '../../steps-api.ts';
import { stepsFor } from '../authorise.ts';
import type { App, HttpContext } from '../context.ts';
import { answers, parseJsonBody, sendWithToken } from './route-parts.ts';

const strict = { additionalProperties: false };
const Consumer = Type.String({ minLength: 1, maxLength: 200, description: 'Who works through the stream.' });
const Offset = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Partition = Type.Optional(Type.Integer({ minimum: 0, description: 'Default 0.' }));
const AnyJson = Type.Unsafe<JsonValue>({});

const StepBody = Type.Object(
  {
    consumer: Consumer,
    input: Type.Object(
      { stream: Type.String(), partition: Partition, offset: Offset, from: Type.Optional(Offset) },
      { ...strict, description: 'The offsets `from` (default: `offset`) to `offset` that the step has worked through.' },
    ),
    outputs: Type.Optional(
      Type.Array(
        Type.Object({ stream: Type.String(), records: Type.Array(Type.Unsafe<JsonObject>({ type: 'object' })) }, strict),
        {
          maxItems: 100,
        },
      ),
    ),
    result: Type.Optional(AnyJson),
  },
  strict,
);
const PositionQuery = Type.Object({ consumer: Consumer, stream: Type.String(), partition: Partition }, strict);
const position = Type.Integer({ description: 'The last offset worked through; -1 before any.' });
const PositionSchema = Type.Object({ position, result: AnyJson, token: Type.String() });
const StepSchema = Type.Object({
  applied: Type.Boolean({ description: 'False: an earlier step had this input, and nothing was written.' }),
  position,
  result: AnyJson,
  token: Type.String(),
});

export function addStepRoutes(app: App, { engine }: HttpContext): void {
  app.post(
    '/v1/steps',
    {
      preValidation: parseJsonBody,
      schema: {
        summary: 'Acknowledge an input and write its outputs, in one commit and exactly once',
        body: StepBody,
        response: answers(StepSchema),
      },
    },
    async (request, reply) => {
      const answer = await stepsFor(request, engine.steps).step(request.body as unknown as StepRequest);
      return sendWithToken(reply, JSON.stringify(answer), answer.token);
    },
  );
  app.get(
    '/v1/steps',
    {
      schema: { summary: 'How far a consumer is', querystring: PositionQuery, response: answers(PositionSchema) },
    },
    async (request, reply) => {
      const answer = await stepsFor(request, engine.steps).stepPosition(request.query);
      return sendWithToken(reply, JSON.stringify(answer), answer.token);
    },
  );
}

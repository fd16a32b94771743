import { isDeepStrictEqual } from 'node:util';
import type { JsonObject, JsonValue } from '../../base/index.ts';
import { decodeToken } from '../../streams/index.ts';
import type { FeatureViewDefinition } from '../definition/types.ts';
import type { FeatureEngine } from '../engine/feature-engine.ts';
import type { FeatureRow } from '../historical/sweep.ts';
import { entityOfRequest } from '../state/entity-key.ts';
import { answersStream, type LoggedAnswer } from './answer-log.ts';

export interface SkewDifference {
  entity: JsonValue;
  /** The instant of the answer, ISO 8601. */
  asOf: string;
  version: string;
  feature: string;
  online: JsonValue;
  training: JsonValue;
}

export interface SkewReport {
  view: string;
  /** Logged answers, each of one entity. */
  answers: number;
  /** Values compared. */
  compared: number;
  /** Answers of definitions that are no longer kept: not compared. */
  unknownVersions: number;
  /** All of them; `examples` has the first. */
  differences: number;
  examples: SkewDifference[];
}

const MAX_EXAMPLES = 100;
/** Positions that are replayed one by one. */
const MAX_POSITIONS = 200;

/** Compares what was answered online with training rows, as seen, of the same entities and instants. Throws TW_VIEW_NOT_FOUND, TW_STREAM_NOT_FOUND. */
export async function skewOf(engine: FeatureEngine, view: string): Promise<SkewReport> {
  engine.get(view);
  const answers: LoggedAnswer[] = [];
  await engine.eachEvent(answersStream(view), ({ value }) => {
    if (value !== null) answers.push(value as LoggedAnswer);
  });
  const report: SkewReport = { view, answers: answers.length, compared: 0, unknownVersions: 0, differences: 0, examples: [] };
  for (const [version, own] of Map.groupBy(answers, answer => answer.version)) {
    const definition = engine.definitionOf(view, version);
    if (definition === undefined) report.unknownVersions += own.length;
    else await compare(engine, definition, own, report);
  }
  return report;
}

async function compare(
  engine: FeatureEngine,
  definition: FeatureViewDefinition,
  answers: readonly LoggedAnswer[],
  report: SkewReport,
): Promise<void> {
  const rows = await replayed(engine, definition, answers, null);
  const suspects = answers.filter((answer, index) => differing(answer, rows[index]).length > 0);
  const settled = await atTheirPositions(engine, definition, suspects);
  for (const answer of answers) report.compared += Object.keys(answer.values).length;
  for (const [index, answer] of answers.entries()) {
    if (!suspects.includes(answer)) continue;
    const training = settled.get(answer) ?? rows[index];
    for (const feature of differing(answer, training)) {
      report.differences++;
      if (report.examples.length === MAX_EXAMPLES) continue;
      const { entity, asOf, version, values } = answer;
      report.examples.push({ entity, asOf, version, feature, online: values[feature], training: training[feature] ?? null });
    }
  }
}

/**
 * A record that was committed in the millisecond of the answer, but after it, is known to the training row and not to the answer. So an answer that
 * differs counts only if it also differs from a row made of exactly the records of its position.
 */
async function atTheirPositions(
  engine: FeatureEngine,
  definition: FeatureViewDefinition,
  suspects: readonly LoggedAnswer[],
): Promise<Map<LoggedAnswer, FeatureRow>> {
  const settled = new Map<LoggedAnswer, FeatureRow>();
  const positions = [...Map.groupBy(suspects, ({ token }) => token)].slice(0, MAX_POSITIONS);
  for (const [token, own] of positions) {
    const rows = await replayed(engine, definition, own, token);
    for (const [index, answer] of own.entries()) settled.set(answer, rows[index]);
  }
  return settled;
}

function replayed(
  engine: FeatureEngine,
  definition: FeatureViewDefinition,
  answers: readonly LoggedAnswer[],
  token: string | null,
): Promise<FeatureRow[]> {
  const fields = Array.isArray(definition.entity) ? definition.entity : [definition.entity];
  const spine = answers.map(({ entity, asOf, request }, index) => ({
    index,
    entity: entityOfRequest(fields, entity),
    timeMs: Date.parse(asOf),
    values: request,
  }));
  const position = token === null ? {} : decodeToken(token).streams[0];
  return engine.replay({ definition, ...position }, spine, token === null);
}

function differing({ values }: LoggedAnswer, training: FeatureRow): string[] {
  // What was logged has been JSON once: it knows no -0.
  const expected = JSON.parse(JSON.stringify(training)) as FeatureRow;
  return Object.keys(values as JsonObject).filter(feature => !isDeepStrictEqual(values[feature], expected[feature] ?? null));
}

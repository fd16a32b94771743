import { asTailwaterError, type Clock, type ErrorCode, isTailwaterError, TailwaterError } from '../base/index.ts';
import type { FeatureEngine, Reach } from '../features/index.ts';
import type { Searcher } from '../retrieval/index.ts';
import { headsOf, type Pinned, type PinnedStreams, type Pinner, positionOf, watermarkOf } from '../snapshot/index.ts';
import { type Catalog, decodeToken, encodeToken, type PositionInstant, type StreamDefinition } from '../streams/index.ts';
import { type Candidate, worthOf } from './candidates.ts';
import type { ContextAnswer, ContextItem, ContextRequest, LegFreshness, Tokenizer } from './context-types.ts';
import { type Instant, type LegResult, readFeatures, readLeg } from './legs.ts';
import { type ContextPlan, type PlannedLeg, planContext } from './plan.ts';
import { blockOf } from './render.ts';
import { spend } from './spend.ts';
import { cachedTokenizer, defaultTokenizer } from './tokenizer.ts';

export interface ContextOptions {
  catalog: Catalog;
  features: FeatureEngine;
  pinner: Pinner;
  searcher: Searcher;
  clock: Clock;
  /** Learns of the streams that other nodes have created. */
  learnStreams(): Promise<void>;
  /** Default: that of GPT-4o and later models. */
  tokenizer?: Tokenizer;
}

type Outcome = LegResult | TailwaterError;

interface Fetched {
  instant: Instant;
  token: string;
  outcomes: Outcome[];
}

/** Answers of another moment that would be different now: they fail the call, since nothing else could be given again. */
const GONE: ErrorCode[] = ['TW_HISTORY_EXPIRED', 'TW_SNAPSHOT_EXPIRED'];

/** One answer for an agent: plan, pin one instant, fetch every leg at it, spend the budget, render. */
export class ContextAssembler {
  readonly #options: ContextOptions;
  #tokenizer: Promise<Tokenizer> | null = null;

  constructor(options: ContextOptions) {
    this.#options = options;
  }

  /**
   * Throws what planning and pinning throw, TW_CONTEXT_BUDGET, and TW_CONTEXT_LEG for a required leg. Other legs that fail or are late
   * are named in the answer.
   */
  async assemble(request: ContextRequest): Promise<ContextAnswer> {
    const plan = await this.#plan(request);
    const tokenizer = await this.#loaded();
    const deadlineAtMs = this.#options.clock.nowMs() + plan.deadlineMs;
    const fetched = await this.#fetch(plan, request, deadlineAtMs);
    const isPast = request.consistency?.asOf !== undefined;
    for (const [index, outcome] of fetched.outcomes.entries()) {
      if (!(outcome instanceof TailwaterError)) continue;
      if (isPast && isTailwaterError(outcome, ...GONE)) throw outcome;
      if (plan.legs[index].required) throw requiredFailed(plan.legs[index].name, outcome);
    }
    return answerOf(plan, fetched, tokenizer);
  }

  /** The streams that a request reads. Throws what planning throws. */
  async sourcesOf(request: ContextRequest): Promise<StreamDefinition[]> {
    const { legs } = await this.#plan(request);
    return [...new Map(legs.map(({ definition }) => [definition.incarnation, definition])).values()];
  }

  async #plan(request: ContextRequest): Promise<ContextPlan> {
    const { catalog, features } = this.#options;
    const plan = (): ContextPlan =>
      planContext(request, {
        stream: name => catalog.require(name),
        view: (name, entity, names) =>
          features.reading(name, { entities: [entity], ...(names === undefined ? {} : { features: names }) }),
      });
    try {
      return plan();
    } catch (error) {
      if (!isTailwaterError(error, 'TW_VIEW_NOT_FOUND', 'TW_STREAM_NOT_FOUND')) throw error;
      // Another node may have just defined it.
      await this.#options.learnStreams();
      await features.look();
      return plan();
    }
  }

  #loaded(): Promise<Tokenizer> {
    const { tokenizer } = this.#options;
    this.#tokenizer ??= (tokenizer === undefined ? defaultTokenizer() : Promise.resolve(tokenizer)).then(cachedTokenizer);
    return this.#tokenizer;
  }

  /**
   * Views are held while the instant is pinned and their values are read, so that their states are exactly of it. Views that cannot be held within half
   * of the time are late, and the others get the rest of it.
   */
  #fetch(plan: ContextPlan, request: ContextRequest, deadlineAtMs: number): Promise<Fetched> {
    const { clock, features } = this.#options;
    const readings = plan.legs.flatMap(leg => (leg.kind === 'features' ? [leg.reading] : []));
    if (request.consistency?.asOf !== undefined || readings.length === 0) {
      return this.#fetchWith(plan, request, deadlineAtMs, () => new Map());
    }
    return new Promise((resolve, reject) => {
      let late = false;
      const timer = clock.after(plan.deadlineMs / 2, () => {
        late = true;
        this.#fetchWith(plan, request, deadlineAtMs, () => lateViews(plan)).then(resolve, reject);
      });
      const work = async (reach: Reach): Promise<void> => {
        timer.cancel();
        if (late) return;
        let held: Held = new Map();
        const read = (instant: Instant): Held => {
          held = this.#readHeld(plan, instant, reach, deadlineAtMs);
          return held;
        };
        const { outcomes, ...fetched } = await this.#start(plan, request, deadlineAtMs, read);
        Promise.all(outcomes).then(settled => resolve({ ...fetched, outcomes: settled }), reject);
        await Promise.all(held.values());
      };
      features.holding(readings, work).catch(reject);
    });
  }

  async #fetchWith(
    plan: ContextPlan,
    request: ContextRequest,
    deadlineAtMs: number,
    held: (instant: Instant) => Held,
  ): Promise<Fetched> {
    const { outcomes, ...fetched } = await this.#start(plan, request, deadlineAtMs, held);
    return { ...fetched, outcomes: await Promise.all(outcomes) };
  }

  /** Pins, and starts every leg. */
  async #start(
    plan: ContextPlan,
    request: ContextRequest,
    deadlineAtMs: number,
    held: (instant: Instant) => Held,
  ): Promise<Omit<Fetched, 'outcomes'> & { outcomes: Promise<Outcome>[] }> {
    const { instant, token } = await this.#pin(plan, request, deadlineAtMs);
    const known = held(instant);
    const outcomes = plan.legs.map(
      (leg, index) => known.get(index) ?? this.#settled(this.#read(leg, index, instant), deadlineAtMs),
    );
    return { instant, token, outcomes };
  }

  #readHeld(plan: ContextPlan, instant: Instant, reach: Reach, deadlineAtMs: number): Held {
    const held: Held = new Map();
    for (const [index, leg] of plan.legs.entries()) {
      if (leg.kind !== 'features') continue;
      const pinned = instant.pinned[index];
      const values = reach(leg.reading, pinned, deadlineAtMs).then(state => readFeatures(leg, pinned, instant.atMs, state));
      held.set(index, this.#settled(values, deadlineAtMs));
    }
    return held;
  }

  async #read(leg: PlannedLeg, index: number, { atMs, pinned, watermarks }: Instant): Promise<LegResult> {
    if (leg.kind === 'features') return readFeatures(leg, pinned[index], atMs, null);
    return readLeg(leg, pinned[index], { atMs, watermark: watermarks[index] }, this.#options.searcher);
  }

  async #pin(plan: ContextPlan, request: ContextRequest, deadlineAtMs: number): Promise<Omit<Fetched, 'outcomes'>> {
    const { pinner, clock } = this.#options;
    const definitions = [...new Map(plan.legs.map(({ definition }) => [definition.incarnation, definition])).values()];
    const streams = await pinner.pinAll(definitions, request.consistency, deadlineAtMs);
    const position = {
      shards: [{ shard: streams.shard, seq: streams.throughSegment }],
      streams: streams.pinned.flatMap(pinned => positionOf(pinned).streams),
    };
    const given = givenInstant(request, streams);
    const watermarks = streams.pinned.map((pinned, index) => given?.watermarks[index] ?? watermarkOf(pinned));
    const throughMs = Math.max(0, ...streams.pinned.map(({ throughTimeMs }) => throughTimeMs));
    const atMs = given?.atMs ?? pastMs(request) ?? Math.max(clock.nowMs(), throughMs);
    const at = plan.legs.map(leg =>
      streams.pinned.findIndex(({ definition }) => definition.incarnation === leg.definition.incarnation),
    );
    return {
      instant: { atMs, pinned: at.map(index => streams.pinned[index]), watermarks: at.map(index => watermarks[index]) },
      token: given?.token ?? encodeToken({ ...position, instant: { atMs, watermarks } }),
    };
  }

  /** A leg never rejects: it is late, or has failed, or has found something. */
  #settled(work: Promise<LegResult>, deadlineAtMs: number): Promise<Outcome> {
    const { clock } = this.#options;
    return new Promise(resolve => {
      const late = (): void => resolve(new TailwaterError('TW_DEADLINE', { detail: 'The leg did not finish in time.' }));
      const timer = clock.after(Math.max(0, deadlineAtMs - clock.nowMs()), late);
      work.then(resolve, error => resolve(asTailwaterError(error))).finally(() => timer.cancel());
    });
  }
}

/** What is read of views, by the index of the leg. */
type Held = Map<number, Promise<Outcome>>;

function lateViews(plan: ContextPlan): Held {
  const late = new TailwaterError('TW_DEADLINE', { detail: 'The view was busy for half of the time.' });
  const legs = [...plan.legs.entries()].filter(([, { kind }]) => kind === 'features');
  return new Map(legs.map(([index]) => [index, Promise.resolve(late)]));
}

/** What the token of an answer says beyond a position, where it names every stream of this call; null for other tokens. */
function givenInstant({ consistency }: ContextRequest, { pinned }: PinnedStreams): (PositionInstant & { token: string }) | null {
  const asOf = consistency?.asOf;
  if (typeof asOf !== 'string' || asOf.startsWith('tag:') || isTime(asOf)) return null;
  const { instant, streams } = decodeToken(asOf);
  if (instant === undefined) return null;
  const watermarks = pinned.map(({ definition }) => {
    const at = streams.findIndex(({ incarnation }) => incarnation === definition.incarnation);
    return at < 0 ? undefined : instant.watermarks[at];
  });
  if (watermarks.some(watermark => watermark === undefined)) {
    throw new TailwaterError('TW_BAD_TOKEN', { detail: 'The token is of a context over other streams than this call has.' });
  }
  return { atMs: instant.atMs, watermarks: watermarks as number[][], token: asOf };
}

function isTime(asOf: string): boolean {
  return /^\d{4}-\d\d-\d\d(T|$)/.test(asOf);
}

/** Null: of now. A position or a tag says no time but that of its last record. */
function pastMs({ consistency }: ContextRequest): number | null {
  const asOf = consistency?.asOf;
  return typeof asOf === 'string' && isTime(asOf) ? Date.parse(asOf) : null;
}

function answerOf(plan: ContextPlan, { instant, token, outcomes }: Fetched, tokenizer: Tokenizer): ContextAnswer {
  const freshness = plan.legs.map((leg, index) => freshnessOf(leg, instant, index, outcomes[index]));
  const candidates = plan.legs.flatMap((leg, index) => {
    const outcome = outcomes[index];
    return outcome instanceof TailwaterError ? [] : candidatesOf(leg, outcome, plan, tokenizer);
  });
  const asOf = new Date(instant.atMs).toISOString();
  const frame = { asOf, subject: plan.subject, freshness };
  const { text, tokens, chosen, left } = spend(candidates, frame, plan.budgetTokens, tokenizer);
  return {
    text,
    tokens,
    tokenizer: tokenizer.name,
    asOf,
    items: chosen.map(itemOf),
    freshness,
    dropped: left.map(({ leg, source, tokens: cost }) => ({ leg, source, reason: 'budget', tokens: cost })),
    complete: freshness.every(({ complete }) => complete),
    token,
  };
}

function candidatesOf(leg: PlannedLeg, { found }: LegResult, { recency }: ContextPlan, tokenizer: Tokenizer): Candidate[] {
  return found.map((item, index) => {
    const block = blockOf({ ...item, kind: leg.kind });
    return {
      ...item,
      leg: leg.name,
      kind: leg.kind,
      required: leg.required,
      rank: index + 1,
      score: worthOf(index + 1, leg.weight, item.ageMs, recency),
      block,
      tokens: tokenizer.count(block),
    };
  });
}

function itemOf({ leg, kind, tier, ageMs, source, score, ranks, tokens, value }: Candidate, index: number): ContextItem {
  return { citation: index + 1, leg, kind, tier, ageMs, source, score, ranks, trust: 'untrusted', tokens, value };
}

function freshnessOf(leg: PlannedLeg, { pinned, watermarks }: Instant, index: number, outcome: Outcome): LegFreshness {
  const head = headsOf(pinned[index] as Pinned);
  const watermark = watermarks[index];
  const failed = outcome instanceof TailwaterError;
  const skipped = failed ? [] : outcome.skipped;
  return {
    leg: leg.name,
    kind: leg.kind,
    stream: leg.definition.name,
    status: failed ? 'failed' : 'ok',
    ...(failed ? { error: { code: outcome.code, detail: outcome.message } } : {}),
    ...(leg.kind === 'features' ? { version: leg.reading.live.plan.version } : {}),
    head,
    watermark,
    tailRows: head.reduce((sum, offset, partition) => sum + Math.max(0, offset - watermark[partition]), 0),
    skipped,
    complete: !failed && skipped.length === 0,
  };
}

function requiredFailed(leg: string, cause: TailwaterError): TailwaterError {
  return new TailwaterError('TW_CONTEXT_LEG', {
    detail: `The required leg ${leg} failed: ${cause.message}`,
    data: { leg, code: cause.code },
    cause,
  });
}

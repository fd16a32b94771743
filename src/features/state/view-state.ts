import type { JsonValue } from '../../base/index.ts';
import { inputsOf, type ViewPlan } from '../plan.ts';
import { entityOfValue } from './entity-key.ts';
import { EntityState, type SupersededRow } from './entity-state.ts';
import { BLOCK_ROWS, type Row, RowBlocks } from './row-blocks.ts';

/** A record as features see it. */
export interface FeatureEvent {
  seq: number;
  /** Identifies the row of an upsert stream; not looked at in append streams, whose records are never replaced. */
  key: string | null;
  timeMs: number;
  ingestedAtMs: number;
  /** Null deletes the row of the key. */
  value: JsonValue;
}

/** What is known of a key of an upsert stream. */
export interface KeyVersions {
  entity: string | null;
  current: Row | null;
  /** Replaced versions that earlier instants may see. */
  superseded: { entity: string; row: SupersededRow }[];
}

export interface ViewStateOptions {
  /** The source is an upsert stream: newer records of a key replace older ones. Default false. */
  upsert?: boolean;
  /** Nothing is forgotten, so that any instant may be asked about. Default false. */
  keepsAll?: boolean;
  /** Rows that a summary is of, at least. Fewer make reads touch less, and take more memory. Default 64. */
  blockRows?: number;
}

export interface ViewStats {
  entities: number;
  rows: number;
  events: number;
  /** Records without an entity. */
  skipped: number;
}

/**
 * The state of a view: by entity, from the records of its source applied in log order. What an instant sees is defined by what has been
 * applied and nothing else: an event with its time at or before the instant that no applied newer version of its key, with its time
 * at or before the instant, replaces.
 */
export class ViewState {
  readonly plan: ViewPlan;
  readonly #entities = new Map<string, EntityState>();
  readonly #keys = new Map<string, KeyVersions>();
  /** Commit time of the newest applied record. */
  #logTimeMs = Number.NEGATIVE_INFINITY;
  #events = 0;
  #skipped = 0;
  readonly #keepsAll: boolean;
  readonly #upsert: boolean;
  readonly #blockRows: number;

  constructor(plan: ViewPlan, options: ViewStateOptions = {}) {
    this.plan = plan;
    this.#keepsAll = options.keepsAll ?? false;
    this.#upsert = options.upsert ?? false;
    this.#blockRows = options.blockRows ?? BLOCK_ROWS;
  }

  get logTimeMs(): number {
    return this.#logTimeMs;
  }

  /** Instants before this may be answered wrongly, and must not be. */
  get sinceMs(): number {
    return this.#keepsAll ? Number.NEGATIVE_INFINITY : this.#logTimeMs - this.plan.historyMs;
  }

  entity(name: string): EntityState | undefined {
    const state = this.#entities.get(name);
    if (state !== undefined && !this.#keepsAll) this.#forget(name, state);
    return state;
  }

  /** As `entity`, without forgetting anything. */
  peek(name: string): EntityState | undefined {
    return this.#entities.get(name);
  }

  entities(): IterableIterator<[string, EntityState]> {
    return this.#entities.entries();
  }

  keys(): IterableIterator<[string, KeyVersions]> {
    return this.#keys.entries();
  }

  /** Records come in log order, whatever their partition. */
  apply(event: FeatureEvent): void {
    this.#events++;
    if (event.ingestedAtMs > this.#logTimeMs) this.#logTimeMs = event.ingestedAtMs;
    const name = event.value === null ? null : entityOfValue(this.plan.entity, event.value);
    const key = this.#upsert ? event.key : null;
    if (key !== null) this.#supersede(event, key);
    if (event.value === null) return;
    if (name === null) {
      this.#skipped++;
      return;
    }
    const row: Row = { timeMs: event.timeMs, seq: event.seq, inputs: inputsOf(this.plan, event.value) };
    const state = this.#entities.get(name) ?? this.#create(name);
    if (!this.#keepsAll) state.forget(this.sinceMs, !this.#upsert);
    state.insert(row);
    if (key !== null) this.#remember(key, name, row);
  }

  #create(name: string): EntityState {
    const state = new EntityState(this.plan, new RowBlocks(this.plan.measures, this.#blockRows));
    this.#entities.set(name, state);
    return state;
  }

  #supersede(event: FeatureEvent, key: string): void {
    const versions = this.#keys.get(key);
    if (versions === undefined) return;
    for (const { row } of versions.superseded) row.untilMs = Math.min(row.untilMs, event.timeMs);
    if (versions.current !== null && versions.entity !== null) {
      const row = this.#entities.get(versions.entity)?.supersede(versions.current, event.timeMs);
      if (row) versions.superseded.push({ entity: versions.entity, row });
    }
    versions.current = null;
    versions.superseded = versions.superseded.filter(({ row }) => row.untilMs > Math.max(row.timeMs, this.sinceMs));
    if (versions.superseded.length === 0) this.#keys.delete(key);
  }

  #remember(key: string, entity: string, row: Row): void {
    const versions = this.#keys.get(key);
    if (versions === undefined) this.#keys.set(key, { entity, current: row, superseded: [] });
    else Object.assign(versions, { entity, current: row });
  }

  #forget(name: string, state: EntityState): void {
    state.forget(this.sinceMs, !this.#upsert);
    if (state.isEmpty) this.#entities.delete(name);
  }

  /** Forgets what no instant that may be asked about needs, of every entity. */
  sweep(): void {
    for (const [name, state] of this.#entities) this.#forget(name, state);
    for (const [key, versions] of this.#keys) {
      versions.superseded = versions.superseded.filter(({ row }) => row.untilMs > this.sinceMs);
      if (versions.current === null && versions.superseded.length === 0) this.#keys.delete(key);
    }
  }

  restoreEntity(name: string, state: EntityState): void {
    this.#entities.set(name, state);
  }

  restoreKey(key: string, versions: KeyVersions): void {
    this.#keys.set(key, versions);
  }

  restoreCounts(counts: { logTimeMs: number; events: number; skipped: number }): void {
    this.#logTimeMs = counts.logTimeMs;
    this.#events = counts.events;
    this.#skipped = counts.skipped;
  }

  stats(): ViewStats {
    let rows = 0;
    for (const state of this.#entities.values()) rows += state.rows.size + state.superseded.length;
    return { entities: this.#entities.size, rows, events: this.#events, skipped: this.#skipped };
  }
}

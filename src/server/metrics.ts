import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** Plain numbers of one component, with the labels they are shown under. */
export interface ComponentStats {
  component: string;
  labels?: Record<string, string>;
  stats: Record<string, number>;
}

/** Turns what components say of themselves into Prometheus text at the moment it is asked for. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #gauges = new Map<string, Gauge>();
  readonly #collect: () => ComponentStats[];

  constructor(collect: () => ComponentStats[]) {
    this.#collect = collect;
    collectDefaultMetrics({ register: this.#registry, prefix: 'tailwater_' });
  }

  render(): Promise<string> {
    for (const gauge of this.#gauges.values()) gauge.reset();
    for (const entry of this.#collect()) {
      for (const [name, value] of Object.entries(entry.stats)) this.#set(entry, name, value);
    }
    return this.#registry.metrics();
  }

  close(): void {
    this.#registry.clear();
  }

  #set(entry: ComponentStats, stat: string, value: number): void {
    const labels = entry.labels ?? {};
    const name = `tailwater_${entry.component}_${snakeCase(stat)}`;
    let gauge = this.#gauges.get(name);
    if (!gauge) {
      gauge = new Gauge({
        name,
        help: `${stat} of ${entry.component}`,
        labelNames: Object.keys(labels),
        registers: [this.#registry],
      });
      this.#gauges.set(name, gauge);
    }
    gauge.set(labels, value);
  }
}

function snakeCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
}

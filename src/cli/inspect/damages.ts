import { asTailwaterError } from '../../base/index.ts';
import { type Damage, MAX_DAMAGES } from './report.ts';

/** Gathers what cannot be read while the rest is looked at. */
export class Damages {
  readonly list: Damage[] = [];

  /** The result, or null when it failed: then the part is noted. */
  async of<T>(part: string, read: () => Promise<T>): Promise<T | null> {
    try {
      return await read();
    } catch (error) {
      this.add(part, error);
      return null;
    }
  }

  add(part: string, error: unknown): void {
    if (this.list.length >= MAX_DAMAGES) return;
    const { code, message } = asTailwaterError(error);
    this.list.push({ part, code, detail: message });
  }
}

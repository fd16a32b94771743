import { createHash } from 'node:crypto';
import { type Ask, judge, msPerUnit, type Verdict } from '../../limits/rates.ts';
import type { RemoteRates } from '../../limits/shared-rates.ts';
import type { RedisLink } from './redis-link.ts';

/**
 * `judge` and the taking in one step. KEYS: buckets, each the time when it will be full. ARGV: the time now, or nothing for that of the
 * server; 1 to take without asking; then of each bucket milliseconds per unit, burst and amount. Answers what each bucket was missing before.
 */
const SCRIPT = `
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
end
local missing, isTaken = {}, true
for i, key in ipairs(KEYS) do
  local unit, burst = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  missing[i] = math.max(0, tonumber(redis.call('GET', key) or now) - now)
  if ARGV[2] ~= '1' and missing[i] > (burst - 1) * unit then isTaken = false end
end
local answer = {}
for i, key in ipairs(KEYS) do
  local after = missing[i] + tonumber(ARGV[3 * i + 2]) * tonumber(ARGV[3 * i])
  if isTaken and after > 0 then
    redis.call('SET', key, string.format('%.17g', now + after), 'PX', math.ceil(after))
  end
  answer[i] = string.format('%.17g', missing[i])
end
return answer
`;
const SCRIPT_SHA1 = createHash('sha1').update(SCRIPT).digest('hex');

/** Buckets of rate limits in Redis, `<prefix>:rate:{<who>}:<of>`, which expire when they are full. By the clock of Redis, one for all nodes. */
export class RedisRates implements RemoteRates {
  readonly #link: RedisLink;
  readonly #nowMs: (() => number) | null;

  /** `nowMs`: another clock, for tests. */
  constructor(link: RedisLink, nowMs: (() => number) | null = null) {
    this.#link = link;
    this.#nowMs = nowMs;
  }

  get isReady(): boolean {
    return this.#link.isReady;
  }

  async take(who: string, asks: readonly Ask[]): Promise<Verdict> {
    return judge(asks, await this.#run(who, asks, false));
  }

  async charge(who: string, asks: readonly Ask[]): Promise<void> {
    await this.#run(who, asks, true);
  }

  async #run(who: string, asks: readonly Ask[], always: boolean): Promise<number[]> {
    const keys = asks.map(({ of }) => `${this.#link.prefix}:rate:{${who}}:${of}`);
    const buckets = asks.flatMap(({ rate, amount }) => [msPerUnit(rate), rate.burst, amount]);
    const args = [...keys, this.#nowMs?.() ?? '', always ? 1 : 0, ...buckets];
    const answer = await this.#evaluate(keys.length, args);
    return (answer as string[]).map(Number);
  }

  /** The script itself goes along only when the server does not know it. */
  async #evaluate(keyCount: number, args: (string | number)[]): Promise<unknown> {
    const { client } = this.#link;
    try {
      return await client.evalsha(SCRIPT_SHA1, keyCount, ...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return client.eval(SCRIPT, keyCount, ...args);
    }
  }
}

import { TailwaterError } from '../base/index.ts';
import { type Candidate, select } from './candidates.ts';
import type { Tokenizer } from './context-types.ts';
import { headingOf, type RenderFrame, renderContext } from './render.ts';

export interface Spent {
  text: string;
  tokens: number;
  chosen: Candidate[];
  left: Candidate[];
}

/**
 * The best text within the budget. Candidates are chosen by their own counts; the whole text is counted in the end, and while it is over
 * (tokens may join differently where pieces meet), it is chosen again for less. Throws TW_CONTEXT_BUDGET when not even one item of those found, or
 * none of a required leg, fits.
 */
export function spend(candidates: readonly Candidate[], frame: RenderFrame, budget: number, tokenizer: Tokenizer): Spent {
  const fixed = tokenizer.count(renderContext(frame, []));
  // A heading is charged to each item: none is sure to stand under another's.
  const costs = candidates.map(candidate => ({
    ...candidate,
    tokens: candidate.tokens + tokenizer.count(headingOf(candidate)) + 3,
  }));
  for (let tokens = budget - fixed; ; ) {
    const chosen = select(costs, tokens).map(index => candidates[index]);
    checkServed(candidates, chosen, fixed + Math.min(...costs.map(cost => cost.tokens)), budget);
    const text = renderContext(frame, chosen);
    const counted = tokenizer.count(text);
    if (counted <= budget) {
      const kept = new Set(chosen);
      return { text, tokens: counted, chosen, left: candidates.filter(candidate => !kept.has(candidate)) };
    }
    if (chosen.length === 0) throw tooSmall(counted, budget, 'The heading alone does not fit');
    tokens -= counted - budget;
  }
}

function checkServed(candidates: readonly Candidate[], chosen: readonly Candidate[], smallest: number, budget: number): void {
  if (candidates.length === 0) return;
  if (chosen.length === 0) throw tooSmall(smallest, budget, 'No item fits');
  const served = new Set(chosen.map(({ leg }) => leg));
  const unserved = candidates.find(({ leg, required }) => required && !served.has(leg));
  if (unserved !== undefined)
    throw tooSmall(budget + unserved.tokens, budget, `No item of the required leg ${unserved.leg} fits`);
}

function tooSmall(needed: number, budget: number, why: string): TailwaterError {
  return new TailwaterError('TW_CONTEXT_BUDGET', {
    detail: `${why} into ${budget} tokens; about ${needed} are needed.`,
    data: { needed, budget },
  });
}

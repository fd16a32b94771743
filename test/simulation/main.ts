import { drawPlan } from './draw-plan.ts';
import { runPlan } from './run-plan.ts';
const [first, count, ops] = process.argv.slice(2).map(Number);
const start = Date.now();
let bad = 0;
for (let seed = first; seed < first + count; seed++) {
  const plan = drawPlan(seed, ops);
  const result = await runPlan(plan);
  if (result.failure) { bad++; console.log(seed, plan.journal, plan.nodes, result.failure.message.slice(0, 700)); }
}
console.log(count, 'seeds', bad, 'bad', Date.now() - start, 'ms');

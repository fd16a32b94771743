import { type Decision, resultOf, type Talk, valuesOf } from '../model/script.ts';

/** The model of this story without a key: counts errors, reads what it knows, and decides between a page and a note. */
export function incidentScript(talk: Talk): Decision {
  const service = /service "([^"]+)"/.exec(talk.question)?.[1] ?? '';
  if (resultOf(talk, 'query_sql') === undefined) {
    const sql = `SELECT count(*) AS errors, max(message) AS sample FROM logs WHERE level = 'error' AND service = '${service}'`;
    return {
      calls: [
        { name: 'query_sql', arguments: { sql } },
        { name: 'recall', arguments: { subject: service, query: 'what was it last time' } },
      ],
    };
  }
  const [[errors, sample]] = resultOf(talk, 'query_sql')!.rows as [number, string][];
  const [known] = valuesOf(talk, 'recall', 'memories');
  const before = known === undefined ? 'Not seen before.' : `Known: ${known.text}`;
  return { text: `${errors >= 2 ? 'PAGE' : 'NOTE'} ${service}: ${errors} error(s), such as “${sample}”. ${before}` };
}

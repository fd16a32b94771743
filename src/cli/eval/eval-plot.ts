import type { MannerScores } from './evaluate.ts';

const BAR_PX = 26;
const GROUP_GAP_PX = 34;
const LEFT_PX = 190;
const WIDTH_PX = 760;
const TOP_PX = 70;
const SCALE_PX = WIDTH_PX - LEFT_PX - 90;
const MEASURES = [
  ['nDCG', 'ndcg', '#4477aa'],
  ['recall', 'recall', '#44997a'],
  ['MRR', 'mrr', '#cc9933'],
] as const;

export function mannerName({ mode, weights }: Pick<MannerScores, 'mode' | 'weights'>): string {
  return weights === null ? mode : `${mode} ${weights.text}:${weights.vector}`;
}

/** A group of bars a manner: nDCG, recall, MRR, all from 0 to 1. */
export function evalSvg(title: string, rows: readonly MannerScores[]): string {
  const groupPx = MEASURES.length * BAR_PX + GROUP_GAP_PX;
  const height = TOP_PX + rows.length * groupPx;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH_PX}" height="${height}" viewBox="0 0 ${WIDTH_PX} ${height}" font-family="sans-serif" font-size="13" fill="#222">`,
    `<rect width="${WIDTH_PX}" height="${height}" fill="#fff"/>`,
    `<text x="16" y="30" font-size="17" font-weight="bold">${escaped(title)}</text>`,
  ];
  for (const [group, row] of rows.entries()) {
    const top = TOP_PX + group * groupPx;
    parts.push(`<text x="16" y="${top + BAR_PX + 17}" font-weight="bold">${escaped(mannerName(row))}</text>`);
    for (const [at, [label, field, colour]] of MEASURES.entries()) parts.push(bar(label, row[field], colour, top + at * BAR_PX));
  }
  return `${parts.join('\n')}\n</svg>\n`;
}

function bar(label: string, value: number, colour: string, y: number): string {
  const width = (value * SCALE_PX).toFixed(1);
  return [
    `<text x="${LEFT_PX - 8}" y="${y + 17}" text-anchor="end" fill="#666">${label}</text>`,
    `<rect x="${LEFT_PX}" y="${y + 3}" width="${SCALE_PX}" height="18" fill="#eee"/>`,
    `<rect x="${LEFT_PX}" y="${y + 3}" width="${width}" height="18" fill="${colour}"/>`,
    `<text x="${LEFT_PX + SCALE_PX + 8}" y="${y + 17}">${value.toFixed(4)}</text>`,
  ].join('');
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

import type { FeatureHealth, FeatureReport } from '../features/index.ts';

const ROW_PX = 30;
const TOP_PX = 92;
const NAME_PX = 220;
const BAR_PX = 230;
const GAP_PX = 90;
const WIDTH_PX = NAME_PX + 2 * (BAR_PX + GAP_PX);
/** Bars are full at this drift; by custom above 0.25 is much. */
const FULL_PSI = 0.5;
const MAX_NAME = 28;

/** A report as a picture: for each feature a bar of its nulls, with a mark where the baseline was, and one of its drift. */
export function reportSvg(report: FeatureReport): string {
  const height = TOP_PX + report.features.length * ROW_PX + 16;
  const driftX = NAME_PX + BAR_PX + GAP_PX;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH_PX}" height="${height}" viewBox="0 0 ${WIDTH_PX} ${height}" font-family="sans-serif" font-size="13" fill="#222">`,
    `<rect width="${WIDTH_PX}" height="${height}" fill="#fff"/>`,
    text(16, 28, escaped(`${report.view}: ${report.entities} entities`), 'font-size="17" font-weight="bold"'),
    text(16, 48, escaped(`as of ${report.asOf}; baseline ${report.baseline}`), 'fill="#666"'),
    text(NAME_PX, 78, 'nulls (line: baseline)', 'fill="#666"'),
    text(driftX, 78, `drift (PSI; line: 0.25)`, 'fill="#666"'),
    ...report.features.map((feature, index) => featureRow(feature, TOP_PX + index * ROW_PX, driftX)),
    '</svg>\n',
  ].join('\n');
}

function featureRow({ feature, nullRate, baselineNullRate, psi }: FeatureHealth, y: number, driftX: number): string {
  const name = feature.length > MAX_NAME ? `${feature.slice(0, MAX_NAME - 1)}…` : feature;
  return [
    text(16, y + 14, escaped(name)),
    bar(NAME_PX, y, nullRate ?? 0, '#4477aa'),
    baselineNullRate === null ? '' : mark(NAME_PX, y, baselineNullRate),
    text(NAME_PX + BAR_PX + 8, y + 14, nullRate === null ? 'none' : `${(nullRate * 100).toFixed(1)}%`),
    bar(driftX, y, Math.min(1, (psi ?? 0) / FULL_PSI), (psi ?? 0) > 0.25 ? '#cc5533' : '#44997a'),
    mark(driftX, y, 0.25 / FULL_PSI),
    text(driftX + BAR_PX + 8, y + 14, psi === null ? 'none' : psi.toFixed(3)),
  ].join('');
}

function bar(x: number, y: number, share: number, colour: string): string {
  const frame = `<rect x="${x}" y="${y}" width="${BAR_PX}" height="18" fill="#eee"/>`;
  return `${frame}<rect x="${x}" y="${y}" width="${(share * BAR_PX).toFixed(1)}" height="18" fill="${colour}"/>`;
}

function mark(x: number, y: number, share: number): string {
  return `<rect x="${(x + share * BAR_PX - 1).toFixed(1)}" y="${y - 3}" width="2" height="24" fill="#222"/>`;
}

function text(x: number, y: number, content: string, more = ''): string {
  return `<text x="${x}" y="${y}"${more === '' ? '' : ` ${more}`}>${content}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

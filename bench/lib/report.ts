import { type Figure, format, meets } from './figures.ts';

/** A table a person can read: figure, goal, verdict, and what it stands beside. */
export function table(title: string, figures: readonly Figure[]): string {
  const rows = figures.map(figure => [
    figure.name,
    `${format(figure.value)} ${figure.unit}`.trim(),
    goalText(figure),
    verdict(figure),
    figure.beside ? `${figure.beside.name}: ${format(figure.beside.value)} ${figure.beside.unit}` : '',
    figure.note ?? '',
  ]);
  const header = ['figure', 'measured', 'goal', '', 'beside', 'note'];
  const widths = header.map((name, column) => Math.max(name.length, ...rows.map(row => row[column].length)));
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd();
  return [title, line(header), line(widths.map(width => '-'.repeat(width))), ...rows.map(line), ''].join('\n');
}

function goalText(figure: Figure): string {
  if (figure.goal === null) return '';
  return 'atLeast' in figure.goal ? `>= ${format(figure.goal.atLeast)}` : `<= ${format(figure.goal.atMost)}`;
}

function verdict(figure: Figure): string {
  const met = meets(figure);
  return met === null ? '' : met ? 'met' : 'MISSED';
}

const MAX_INLINE_CHARS = 120;
const REPLACEMENT = '\ufffd';
/**
 * What a reader cannot see and a model can be misled by: control characters but tab and line feed, soft hyphens, bidirectional controls, zero-width
 * characters and invisible operators, variation selectors, line and paragraph separators, interlinear annotation, tag characters, lone surrogates.
 */
const INVISIBLE =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|[\u115f\u1160\u3164\uffa0\u{e0000}-\u{e0fff}]|\u034f|\u17b4|\u17b5|[\u180b-\u180f]|[\ufe00-\ufe0f]/gu;

/** Text of data made visible: line ends are line feeds, and each invisible character is U+FFFD. Tab and line feed stay. */
export function neutralised(text: string): string {
  return text.replaceAll(/\r\n?/g, '\n').replaceAll(INVISIBLE, found => (found === '\n' || found === '\t' ? found : REPLACEMENT));
}

/** A code block that nothing in the text can end: its fence is longer than any run of backticks or tildes in it. */
export function fenced(text: string): string {
  const runs = text.match(/`+|~+/g) ?? [];
  const fence = '`'.repeat(runs.reduce((longest, run) => Math.max(longest, run.length), 2) + 1);
  return `${fence}text\n${text}\n${fence}`;
}

/** Text of data within a line of ours: quoted, one line, no Markdown, at most 120 characters. */
export function inline(text: string): string {
  const flat = neutralised(text).replaceAll(/[\n\t]/g, ' ');
  const chars = [...flat.slice(0, 4 * MAX_INLINE_CHARS)];
  const cut = chars.length > MAX_INLINE_CHARS ? `${chars.slice(0, MAX_INLINE_CHARS).join('')}…` : flat;
  return `"${cut.replaceAll(/["`~*_[\]<>\\#|]/g, REPLACEMENT).toWellFormed()}"`;
}

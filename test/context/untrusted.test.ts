import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blockOf } from '../../src/context/render.ts';
import { inline, neutralised } from '../../src/context/untrusted.ts';

const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '```',
        '~~~',
        '\n```\n',
        '````text',
        '\r\n',
        '\r',
        '\u2028',
        '\u0085',
        '# Context',
        '[1] ',
        '\u202e',
        '\u200b',
        '\u0000',
      ),
      fc.constantFrom(
        '\u001b[2J',
        '\u{e0041}',
        '\ud800',
        '<|im_start|>',
        '</untrusted>',
        '\ufeff',
        '`',
        '\u00ad',
        '\u2066',
        '\ufe0f',
      ),
      fc.string({ unit: 'binary', maxLength: 12 }),
    ),
    { maxLength: 40 },
  )
  .map(parts => parts.join(''));

/** A reader of CommonMark’s fenced blocks, by its own rules: a fence ends at a line of as many of its characters or more. */
function outsideOfFences(markdown: string): string[] {
  const outside: string[] = [];
  let fence: string | null = null;
  for (const line of markdown.split(/\r\n|\n|\r/)) {
    const run = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line);
    if (fence !== null) {
      if (run?.[1].startsWith(fence) && run[2].trim() === '') fence = null;
    } else if (run !== null) fence = run[1];
    else outside.push(line);
  }
  expect(fence).toBeNull();
  return outside;
}

describe('text from data', () => {
  test('never gets out of its block, and nothing invisible gets into the text', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, (body, key, field) => {
        const source = { stream: 's', partition: 0, offset: 1, key };
        const block = blockOf({ kind: 'documents', tier: 'tail', ageMs: 1, source, value: { [`f${field}`]: body } });
        const outside = outsideOfFences(block);
        expect(outside).toHaveLength(2);
        expect(outside[0]).toMatch(/^stream "s" 0:1, key "[^"`~#[\]<>|\\*_]*", tail, 1 ms old, untrusted data:$/u);
        expect(outside[1]).toBe('');
        expect(block).not.toMatch(/[\p{Cf}\p{Zl}\p{Zp}\u{e0000}-\u{e0fff}]|[^\P{Cc}\n\t]/u);
        expect(block.isWellFormed()).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('stays as it is where it is harmless', () => {
    const text = 'Grüße, 日本語, emoji 🎉 and\ttabs\nand lines';
    expect(neutralised(text)).toBe(text);
    expect(inline('parcel 42')).toBe('"parcel 42"');
  });
});

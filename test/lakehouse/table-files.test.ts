import { describe, expect, test } from 'vitest';
import { LocalTableFiles } from '../../src/lakehouse/index.ts';

describe('table files in a local folder', () => {
  test('have addresses with the path as it is: no engine decodes one', () => {
    expect(new LocalTableFiles('/home/A B/100%/ö').uri('t/rows/v1.json')).toBe('file:///home/A B/100%/ö/t/rows/v1.json');
  });

  test('have absolute addresses, also below a relative folder', () => {
    expect(new LocalTableFiles('data').uri('t')).toBe(`file://${process.cwd()}/data/t`);
  });
});

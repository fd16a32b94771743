/**
 * Splits a text into words of folded UTF-16 code units, without a string per word: the buffers are reused from text to text.
 * A word is a run of letters and digits; a character of a script written without spaces is a word of its own.
 */
export class WordScanner {
  /** Code units of all words, folded (lower case, no accents). */
  readonly codes: Uint16Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly #maxUnits: number;

  constructor(maxUnits: number) {
    this.#maxUnits = maxUnits;
    this.codes = new Uint16Array(maxUnits);
    this.starts = new Int32Array(maxUnits);
    this.ends = new Int32Array(maxUnits);
  }

  /** Returns the number of words; only the first `maxUnits` code units are looked at. */
  scan(text: string): number {
    const found = this.#scanUnits(text, true);
    return found >= 0 ? found : this.#scanUnits(foldText(text.slice(0, this.#maxUnits)), false);
  }

  /** -1: met a code unit that needs folding. */
  #scanUnits(text: string, asciiOnly: boolean): number {
    const { codes, starts, ends } = this;
    const length = Math.min(text.length, this.#maxUnits);
    let words = 0;
    let start = -1;
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80 && asciiOnly) return -1;
      const folded = unit < 0x80 ? FOLDED_ASCII[unit] : wordUnit(unit);
      codes[index] = folded;
      if (start >= 0 && (folded === 0 || isOwnWord(folded))) {
        starts[words] = start;
        ends[words++] = index;
        start = -1;
      }
      if (folded === 0) continue;
      if (isOwnWord(folded)) {
        starts[words] = index;
        ends[words++] = index + 1;
      } else if (start < 0) start = index;
    }
    if (start >= 0) {
      starts[words] = start;
      ends[words++] = length;
    }
    return words;
  }
}

/** Lower-cased letters and digits; 0 for everything else. */
const FOLDED_ASCII = Uint8Array.from({ length: 128 }, (_, unit) => {
  const character = String.fromCharCode(unit);
  return /[a-z0-9]/i.test(character) ? character.toLowerCase().charCodeAt(0) : 0;
});

function foldText(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}

/** Outside ASCII everything is a letter but spaces and punctuation. */
function wordUnit(unit: number): number {
  const separates =
    unit < 0xaa || unit === 0xd7 || unit === 0xf7 || (unit >= 0x2000 && unit <= 0x2bff) || (unit >= 0x3000 && unit <= 0x303f);
  return separates ? 0 : unit;
}

/** Han, kana and Hangul code units (Hangul decomposes to jamo, which stay runs). */
export function isOwnWord(unit: number): boolean {
  return unit >= 0x3040 && unit <= 0x9fff;
}

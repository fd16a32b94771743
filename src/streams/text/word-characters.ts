/** Rust's `char::is_alphanumeric`, by which LanceDB's simple tokenizer splits. */
const WORD_CHARACTER = /^[\p{Alphabetic}\p{N}]$/u;

const UNKNOWN = 0;
const OTHER = 1;
const WORD = 2;

/** What each UTF-16 unit is, found out when it is first met. */
const kinds = new Uint8Array(0x10000);

/** How many UTF-16 units (1 or 2) the letter or number at `at` takes; 0 when there is none. */
export function wordUnitsAt(text: string, at: number): 0 | 1 | 2 {
  const unit = text.charCodeAt(at);
  if ((unit & 0xfc00) === 0xd800) return WORD_CHARACTER.test(text.slice(at, at + 2)) ? 2 : 0;
  let kind = kinds[unit];
  if (kind === UNKNOWN) {
    kind = WORD_CHARACTER.test(text[at]) ? WORD : OTHER;
    kinds[unit] = kind;
  }
  return kind === WORD ? 1 : 0;
}

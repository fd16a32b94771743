/** Letters that do not decompose to ASCII under Unicode NFKD, with what LanceDB folds them to. */
const SPECIALS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ß: 'ss',
    ẞ: 'SS',
    Æ: 'AE',
    æ: 'ae',
    Œ: 'OE',
    œ: 'oe',
    Ø: 'O',
    ø: 'o',
    Ł: 'L',
    ł: 'l',
    Đ: 'D',
    Ð: 'D',
    đ: 'd',
    ð: 'd',
    Þ: 'TH',
    þ: 'th',
    Ħ: 'H',
    ħ: 'h',
    Ŧ: 'T',
    ŧ: 't',
    Ŋ: 'N',
    ŋ: 'n',
    ı: 'i',
    ĸ: 'k',
    ſ: 's',
  }),
);

const COMBINING_MARK = /^\p{M}$/u;

/** Folds accented and compatibility letters to ASCII; a letter with no ASCII form (こ, я) stays as it is. */
export function foldToAscii(word: string): string {
  let folded = '';
  for (const letter of word) folded += letter.charCodeAt(0) < 0x80 ? letter : foldLetter(letter);
  return folded;
}

function foldLetter(letter: string): string {
  const special = SPECIALS.get(letter);
  if (special !== undefined) return special;
  let folded = '';
  for (const part of letter.normalize('NFKD')) {
    if (part.charCodeAt(0) < 0x80) folded += part;
    else if (!COMBINING_MARK.test(part)) folded += SPECIALS.get(part) ?? '';
  }
  return folded === '' ? letter : folded;
}

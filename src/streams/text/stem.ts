/**
 * The Snowball English stemmer ("Porter2") as of Snowball 3.1 (https://snowballstem.org/algorithms/english/stemmer.html), for words without
 * apostrophes. The `snowball-stemmers` package implements an older revision that differs in words such as "added", "university",
 * "international"; LanceDB indexes with this one.
 *
 * p1 and p2 are where the regions R1 and R2 of the word begin. `Y` stands for a y that is a consonant.
 */
interface Word {
  text: string;
  p1: number;
  p2: number;
}

const EXCEPTIONS: ReadonlyMap<string, string> = new Map([
  ['skis', 'ski'],
  ['skies', 'sky'],
  ['idly', 'idl'],
  ['gently', 'gentl'],
  ['ugly', 'ugli'],
  ['early', 'earli'],
  ['only', 'onli'],
  ['singly', 'singl'],
  ...['sky', 'news', 'howe', 'atlas', 'cosmos', 'bias', 'andes'].map(word => [word, word] as const),
]);

/** Beginnings that end where R1 begins, so that their families are not conflated (general, generous). */
const R1_PREFIX = /^(?:gener|commun|arsen|past|univers|later|emerg|organ|inter)/;
const R1_REGION = /[aeiouy][^aeiouy]/;
const VOWEL = /[aeiouy]/;
const SHORT_END = /(?:[^aeiouy][aeiouy][^aeiouywxY]|^[aeiouy][^aeiouy]|past)$/;

/** Longest first: of several matching endings only the longest counts. */
const STEP_2: readonly (readonly [string, string])[] = [
  ['ational', 'ate'],
  ['ization', 'ize'],
  ['fulness', 'ful'],
  ['ousness', 'ous'],
  ['iveness', 'ive'],
  ['tional', 'tion'],
  ['biliti', 'ble'],
  ['lessli', 'less'],
  ['entli', 'ent'],
  ['ation', 'ate'],
  ['alism', 'al'],
  ['aliti', 'al'],
  ['ousli', 'ous'],
  ['iviti', 'ive'],
  ['ogist', 'og'],
  ['fulli', 'ful'],
  ['enci', 'ence'],
  ['anci', 'ance'],
  ['abli', 'able'],
  ['izer', 'ize'],
  ['ator', 'ate'],
  ['alli', 'al'],
  ['bli', 'ble'],
  ['ogi', 'og'],
  ['li', ''],
];
const STEP_3: readonly (readonly [string, string])[] = [
  ['ational', 'ate'],
  ['tional', 'tion'],
  ['alize', 'al'],
  ['icate', 'ic'],
  ['iciti', 'ic'],
  ['ative', ''],
  ['ical', 'ic'],
  ['ness', ''],
  ['ful', ''],
];
const STEP_4 = /(?:ement|ance|ence|able|ible|ment|ant|ent|ism|ate|iti|ous|ive|ize|ion|al|er|ic)$/;

/** The stem of a lower-case word. */
export function stemEnglish(word: string): string {
  const exception = EXCEPTIONS.get(word);
  if (exception !== undefined) return exception;
  if (word.length < 3) return word;
  return /[\ud800-\udbff]/.test(word) ? stemAstral(word) : stemRegular(word);
}

/** Counts letters, not UTF-16 units: letters beyond the basic plane are consonants, and only ASCII endings ever change. */
function stemAstral(word: string): string {
  const letters = [...word];
  if (letters.length < 3) return word;
  const stem = stemRegular(letters.map(letter => (letter.length === 2 ? '\uffff' : letter)).join(''));
  return Array.from(stem, (unit, index) => (unit === '\uffff' ? letters[index] : unit)).join('');
}

function stemRegular(text: string): string {
  const word = withRegions(markConsonants(text));
  pluralEnding(word);
  pastEnding(word);
  if (/.[^aeiouy][yY]$/.test(word.text)) word.text = `${word.text.slice(0, -1)}i`;
  derivedEnding(word);
  adjectiveEnding(word);
  residualEnding(word);
  finalLetter(word);
  return word.text.replaceAll('Y', 'y');
}

function markConsonants(text: string): string {
  if (!text.includes('y')) return text;
  let marked = '';
  for (const letter of text) marked += letter === 'y' && (marked === '' || isVowel(marked.at(-1)!)) ? 'Y' : letter;
  return marked;
}

function withRegions(text: string): Word {
  const prefix = R1_PREFIX.exec(text);
  const p1 = prefix === null ? regionAfter(text, 0) : prefix[0].length;
  return { text, p1, p2: regionAfter(text, p1) };
}

/** Behind the first consonant that follows a vowel, from `start` on; the end when there is none. */
function regionAfter(text: string, start: number): number {
  const found = R1_REGION.exec(text.slice(start));
  return found === null ? text.length : start + found.index + 2;
}

/** Step 1a. */
function pluralEnding(word: Word): void {
  const { text } = word;
  if (text.endsWith('sses')) word.text = text.slice(0, -2);
  else if (text.endsWith('ied') || text.endsWith('ies')) word.text = text.slice(0, text.length > 4 ? -2 : -1);
  else if (text.endsWith('s') && !/[us]s$/.test(text) && VOWEL.test(text.slice(0, -2))) word.text = text.slice(0, -1);
}

/** Step 1b. */
function pastEnding(word: Word): void {
  const ending = /(?:eedly|ingly|edly|eed|ing|ed)$/.exec(word.text)?.[0];
  if (ending === undefined) return;
  const rest = word.text.slice(0, -ending.length);
  if (ending.startsWith('eed')) {
    if (rest.length >= word.p1 && !/^(?:proc|exc|succ)$/.test(rest)) word.text = `${rest}ee`;
  } else if (ending === 'ing' && /^[^aeiouy]y$/.test(rest)) {
    word.text = `${rest[0]}ie`;
  } else if (ending === 'ing' && /^(?:inn|out|cann|herr|earr|even)$/.test(rest)) {
    return;
  } else if (VOWEL.test(rest)) {
    word.text = repaired(rest, word.p1);
  }
}

/** What is left after removing -ed or -ing, made a word again: hoping -> hope, hopping -> hop. */
function repaired(rest: string, p1: number): string {
  if (/(?:at|bl|iz)$/.test(rest)) return `${rest}e`;
  if (/(?:bb|dd|ff|gg|mm|nn|pp|rr|tt)$/.test(rest)) return /^[aeo]..$/.test(rest) ? rest : rest.slice(0, -1);
  return rest.length === p1 && SHORT_END.test(rest) ? `${rest}e` : rest;
}

/** Step 2. */
function derivedEnding(word: Word): void {
  const found = STEP_2.find(([ending]) => word.text.endsWith(ending));
  if (found === undefined) return;
  const rest = word.text.slice(0, -found[0].length);
  if (rest.length < word.p1) return;
  if (found[0] === 'ogi' && !rest.endsWith('l')) return;
  if (found[0] === 'li' && !/[cdeghkmnrt]$/.test(rest)) return;
  word.text = rest + found[1];
}

/** Step 3. */
function adjectiveEnding(word: Word): void {
  const found = STEP_3.find(([ending]) => word.text.endsWith(ending));
  if (found === undefined) return;
  const rest = word.text.slice(0, -found[0].length);
  if (rest.length >= (found[0] === 'ative' ? word.p2 : word.p1)) word.text = rest + found[1];
}

/** Step 4. */
function residualEnding(word: Word): void {
  const found = STEP_4.exec(word.text);
  if (found === null || found.index < word.p2) return;
  const rest = word.text.slice(0, found.index);
  if (found[0] !== 'ion' || /[st]$/.test(rest)) word.text = rest;
}

/** Step 5. */
function finalLetter(word: Word): void {
  const rest = word.text.slice(0, -1);
  const inR1 = rest.length >= word.p1;
  const inR2 = rest.length >= word.p2;
  if (word.text.endsWith('e') && (inR2 || (inR1 && !SHORT_END.test(rest)))) word.text = rest;
  else if (word.text.endsWith('ll') && inR2) word.text = rest;
}

function isVowel(letter: string): boolean {
  return VOWEL.test(letter);
}

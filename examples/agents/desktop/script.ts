import { type Decision, resultOf, type Talk, valuesOf } from '../model/script.ts';

/** The model of this story without a key: keeps what it is told to remember, and answers from notes and memories. */
export function desktopScript(talk: Talk): Decision {
  const told = /^Remember: (.+)$/.exec(talk.question)?.[1];
  if (told !== undefined) {
    const kept = resultOf(talk, 'remember');
    if (kept === undefined) return { calls: [{ name: 'remember', arguments: { text: told, subject: 'me' } }] };
    return { text: `Kept in ${kept.stream}.` };
  }
  if (resultOf(talk, 'search') === undefined) {
    return {
      calls: [
        { name: 'search', arguments: { stream: 'notes', text: talk.question, limit: 1 } },
        { name: 'recall', arguments: { subject: 'me', query: talk.question, limit: 1 } },
      ],
    };
  }
  const [note] = valuesOf(talk, 'search', 'hits');
  const [memory] = valuesOf(talk, 'recall', 'memories');
  const parts = [note && `Your notes say: ${note.text} [${note.id}]`, memory && `You told me: ${memory.text}`];
  return { text: parts.filter(part => part !== undefined).join(' ') || 'I know nothing about it.' };
}

/** How an answer differs from the one before, by the ids of what is in it. Order alone may differ too: then all three are empty. */
export interface Difference {
  added: string[];
  /** There before and now, with other content. */
  changed: string[];
  removed: string[];
}

/** An item of an answer: who it is, and what it says. */
export interface Identified {
  id: string;
  content: string;
}

/** Pure. */
export function differenceOf(before: readonly Identified[], after: readonly Identified[]): Difference {
  const known = new Map(before.map(({ id, content }) => [id, content]));
  const difference: Difference = { added: [], changed: [], removed: [] };
  for (const { id, content } of after) {
    const content0 = known.get(id);
    if (content0 === undefined) difference.added.push(id);
    else if (content0 !== content) difference.changed.push(id);
    known.delete(id);
  }
  difference.removed.push(...known.keys());
  return difference;
}

export function isSameOrder(before: readonly Identified[], after: readonly Identified[]): boolean {
  return (
    before.length === after.length &&
    before.every(({ id, content }, index) => id === after[index].id && content === after[index].content)
  );
}

import { spawnSync } from 'node:child_process';

export interface Block {
  language: string;
  text: string;
  /** One-based line of its first line of content. */
  line: number;
}

/** The fenced blocks of a document, in its order. */
export function fencedBlocks(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { language: string; lines: string[]; line: number } | null = null;
  for (const [index, line] of markdown.split('\n').entries()) {
    const fence = /^```(\S*)\s*$/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === null) open = { language: fence[1], lines: [], line: index + 2 };
    else {
      blocks.push({ language: open.language, text: open.lines.join('\n'), line: open.line });
      open = null;
    }
  }
  return blocks;
}

/** The commands of a shell block, each with all of its lines. What is one command is what bash takes for one. */
export function commandsOf(block: Block): string[] {
  const commands: string[] = [];
  let lines: string[] = [];
  for (const line of block.text.split('\n')) {
    if (lines.length === 0 && /^\s*(#|$)/.test(line)) continue;
    lines.push(line);
    const text = lines.join('\n');
    if (line.endsWith('\\') || spawnSync('bash', ['-n', '-c', text]).status !== 0) continue;
    commands.push(text);
    lines = [];
  }
  if (lines.length > 0) throw new Error(`Line ${block.line}: the block ends inside a command: ${lines.join('\n')}`);
  return commands;
}

/** What stands between backticks in running text. */
export function inlineCode(markdown: string): string[] {
  const prose = markdown.replaceAll(/^```[\s\S]*?^```$/gm, '');
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(match => match[1]);
}

/** Targets of links that are neither addresses of the web nor places in the same document. */
export function relativeLinks(markdown: string): string[] {
  return [...markdown.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(match => match[1].split('#')[0])
    .filter(target => target !== '' && !/^[a-z]+:/.test(target));
}

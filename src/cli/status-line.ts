import { systemClock } from '../base/index.ts';
import type { CliContext } from './context.ts';
import { fitted } from './output.ts';

/** Lines in a pipe come at most this often. */
const LINE_INTERVAL_MS = 5000;
const REDRAW_INTERVAL_MS = 100;

export interface StatusLine {
  /** What is being done now. */
  show(text: string): void;
  end(): void;
}

/** One line on stderr that is written over on a terminal; now and then a line in a pipe; nothing when quiet. */
export function statusLine(context: CliContext, quiet: boolean): StatusLine {
  if (quiet) return { show() {}, end() {} };
  const { stderr } = context;
  const terminal = stderr.isTTY === true;
  let shownMs = terminal ? 0 : systemClock.nowMs();
  return {
    show(text) {
      const nowMs = systemClock.nowMs();
      if (nowMs - shownMs < (terminal ? REDRAW_INTERVAL_MS : LINE_INTERVAL_MS)) return;
      shownMs = nowMs;
      stderr.write(terminal ? `\r\u001b[K${fitted(context, text)}` : `${text}\n`);
    },
    end() {
      if (terminal) stderr.write('\r\u001b[K');
    },
  };
}

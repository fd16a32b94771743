import cliProgress from 'cli-progress';
import { systemClock } from '../base/index.ts';
import type { IngestProgress } from '../ingest/index.ts';
import type { CliContext } from './context.ts';
import { bytesText } from './output.ts';

export interface ProgressView {
  update(progress: IngestProgress): void;
  end(): void;
}

/** Lines in a pipe come at most this often. */
const LINE_INTERVAL_MS = 5000;

/** A bar on a terminal, plain lines in a pipe, nothing with --json. */
export function ingestProgress(context: CliContext, quiet: boolean): ProgressView {
  if (quiet) return { update() {}, end() {} };
  return context.stderr.isTTY === true ? bar(context) : lines(context);
}

function bar({ stderr }: CliContext): ProgressView {
  const shown = new cliProgress.SingleBar({
    stream: stderr,
    format: '{bar} {percentage}% | {files} | {records} records | {rejected} rejected | {file}',
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
  });
  let started = false;
  return {
    update(progress) {
      if (!started) shown.start(1, 0, payload(progress));
      started = true;
      shown.setTotal(Math.max(1, progress.bytesTotal));
      shown.update(progress.bytesDone, payload(progress));
    },
    end() {
      if (started) shown.stop();
      started = false;
    },
  };
}

function payload({ file, filesDone, files, records, rejected }: IngestProgress) {
  return { file, files: `${filesDone}/${files} files`, records, rejected };
}

function lines({ stderr }: CliContext): ProgressView {
  let lastMs = systemClock.nowMs();
  return {
    update({ bytesDone, bytesTotal, filesDone, files, records, rejected }) {
      const nowMs = systemClock.nowMs();
      if (nowMs - lastMs < LINE_INTERVAL_MS) return;
      lastMs = nowMs;
      const share = bytesTotal === 0 ? '' : `, ${bytesText(bytesDone)} of ${bytesText(bytesTotal)}`;
      stderr.write(`${records} records, ${rejected} rejected, ${filesDone} of ${files} files${share}\n`);
    },
    end() {},
  };
}

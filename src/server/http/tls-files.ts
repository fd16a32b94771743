import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { type Clock, equalBytes, type Logger, TailwaterError, type Timer } from '../../base/index.ts';

/** Certificate chain and private key in PEM. */
export interface TlsFiles {
  certFile: string;
  keyFile: string;
}

export interface TlsPair {
  cert: Buffer;
  key: Buffer;
}

const LOOK_EVERY_MS = 60_000;

/** TW_SETTING when they cannot be read or do not go together. */
export async function readTls({ certFile, keyFile }: TlsFiles): Promise<TlsPair> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (cause) {
    throw new TailwaterError('TW_SETTING', {
      detail: `tls.certFile (${certFile}) and tls.keyFile (${keyFile}) cannot be used: ${(cause as Error).message}.`,
      data: { setting: 'tls.certFile' },
      cause,
    });
  }
}

/** Looks every minute whether the files are others now, so that a certificate is renewed without a restart. What is wrong with them is logged, and the old pair stays. */
export function watchTls(
  files: TlsFiles,
  first: TlsPair,
  { clock, logger, use }: { clock: Clock; logger: Logger; use: (pair: TlsPair) => void },
): Timer {
  let current = first;
  let timer = clock.after(LOOK_EVERY_MS, look);
  let isOver = false;
  function look(): void {
    readTls(files)
      .then(pair => {
        if (isOver || (equalBytes(pair.cert, current.cert) && equalBytes(pair.key, current.key))) return;
        use(pair);
        current = pair;
        logger.info({}, 'The certificate was renewed');
      })
      .catch(error => logger.warn({ error: String(error) }, 'The certificate could not be renewed'))
      .finally(() => {
        if (!isOver) timer = clock.after(LOOK_EVERY_MS, look);
      });
  }
  return {
    cancel: () => {
      isOver = true;
      timer.cancel();
    },
  };
}

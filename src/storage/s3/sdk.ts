import { createRequire } from 'node:module';

type Sdk = typeof import('@aws-sdk/client-s3');

let loaded: Sdk | undefined;

/** The AWS SDK, loaded when first needed: it costs a tenth of a second and tens of megabytes, which a folder-based engine need not pay. */
export function sdk(): Sdk {
  loaded ??= createRequire(import.meta.url)('@aws-sdk/client-s3') as Sdk;
  return loaded;
}

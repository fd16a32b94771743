import { createRequire } from 'node:module';

/**
 * The copy of apache-arrow that LanceDB itself loads. Its CommonJS build and its ES build are two sets of classes: a table made with
 * the other one is taken for an empty one, without an error.
 */
export const arrow: typeof import('apache-arrow') = createRequire(import.meta.url)('apache-arrow');

export type ArrowTable = import('apache-arrow').Table;
export type ArrowBatch = import('apache-arrow').RecordBatch;
export type ArrowData = import('apache-arrow').Data;
export type ArrowSchema = import('apache-arrow').Schema;
export type ArrowField = import('apache-arrow').Field;
export type ArrowType = import('apache-arrow').DataType;

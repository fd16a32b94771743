export { type CutDocument, cutDocument, type DocumentChunk } from './chunks/chunk-document.ts';
export { deleteVectors, vectorLives, vectorsThrough } from './collect-vectors.ts';
export { createProvider, type ProviderSecrets } from './create-provider.ts';
export type { EachEmbedded } from './embed-each.ts';
export { Embedder } from './embedder.ts';
export { HashProvider } from './hash-provider.ts';
export type { EmbeddingProvider } from './provider.ts';
export { SegmentVectors } from './segment-vectors.ts';

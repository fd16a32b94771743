export type { EmbeddingProvider } from './provider.ts';

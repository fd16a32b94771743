export { type TailwaterChatHistoryConfig, TailwaterChatMessageHistory } from './chat-history.ts';
export { TailwaterStore, type TailwaterStoreConfig } from './key-value-store.ts';
export { TailwaterRecordManager, type TailwaterRecordManagerConfig } from './record-manager.ts';
export { type TailwaterProvenance, TailwaterRetriever, type TailwaterRetrieverConfig } from './retriever.ts';
export { tailwaterTools } from './tools.ts';
export { TailwaterVectorStore, type TailwaterVectorStoreConfig } from './vector-store.ts';

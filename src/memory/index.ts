export {
  AgentMemory,
  type AgentMemoryConfig,
  type ForgetRequest,
  type MemoryStepRequest,
  type RecallAnswer,
  type Turn,
} from './agent-memory.ts';
export { type Memory, type MemoryInput, memoryRow } from './memory-rows.ts';
export { type RecallRequest, recall } from './recall.ts';

export { ContextAssembler } from './assembler.ts';
export type {
  ContextAnswer,
  ContextInclude,
  ContextItem,
  ContextRequest,
  DocumentsLeg,
  DroppedItem,
  EventsLeg,
  FeaturesLeg,
  LegFreshness,
  RowsLeg,
  Tokenizer,
} from './context-types.ts';
export { ContextDefinitions } from './definitions.ts';
export type { ContextCall, ContextDefinition, ContextInfo } from './parameters.ts';

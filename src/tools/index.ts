export { callTool, TOOL_DEFAULTS, type ToolOutcome, type ToolSettings } from './call-tool.ts';
export { fittingItems } from './pages.ts';
export { summaryOf } from './read-tools.ts';
export { findTool, listTools, TOOLS } from './registry.ts';
export { safeJson } from './safe-json.ts';
export { NOTICE } from './schemas.ts';
export type { Tool, ToolAnswer, ToolApi } from './tool-types.ts';

export {
  type ChatFunctionTool,
  OpenAiTools,
  type OpenAiToolsOptions,
  type ResponseFunctionTool,
  remoteMcpTool,
} from './function-tools.ts';
export { runToolLoop, type ToolLoopOptions, type ToolStep } from './tool-loop.ts';

import { TailwaterError } from '../base/index.ts';
import { contextTool, GET_CONTEXT } from './context-tools.ts';
import { GET_FEATURES } from './features-tool.ts';
import { GET_ROW, LIST_STREAMS, QUERY_SQL, RECENT_EVENTS, SEARCH } from './read-tools.ts';
import { RECALL } from './recall.ts';
import { REMEMBER } from './remember.ts';
import type { Tool, ToolApi } from './tool-types.ts';

/** What every Tailwater offers a model; one entry a tool. */
export const TOOLS: readonly Tool[] = [
  GET_CONTEXT,
  SEARCH,
  GET_FEATURES,
  RECENT_EVENTS,
  REMEMBER,
  RECALL,
  QUERY_SQL,
  LIST_STREAMS,
  GET_ROW,
];

const byName = new Map(TOOLS.map(tool => [tool.name, tool]));

/** The tools, and one of each context that has a name. */
export async function listTools(api: ToolApi): Promise<Tool[]> {
  return [...TOOLS, ...(await api.contexts.list()).map(contextTool)];
}

/** Throws TW_NOT_FOUND. */
export async function findTool(api: ToolApi, name: string): Promise<Tool> {
  const found = byName.get(name) ?? (await listTools(api)).find(tool => tool.name === name);
  if (found === undefined) {
    throw new TailwaterError('TW_NOT_FOUND', { detail: `There is no tool "${name.slice(0, 200)}".` });
  }
  return found;
}

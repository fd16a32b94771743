import { type JSONSchema7, jsonSchema, type ToolSet, tool } from 'ai';
import type { JsonObject } from '../../base/index.ts';
import { callTool, listTools, TOOL_DEFAULTS, type ToolApi, type ToolSettings } from '../../tools/index.ts';

/** Tailwater's tools for the AI SDK: all, with one for each named context, or those named. A call that fails tells the model what to do next. */
export async function aiTools(
  api: ToolApi,
  { names, ...settings }: Partial<ToolSettings> & { names?: readonly string[] } = {},
): Promise<ToolSet> {
  const all = await listTools(api);
  const chosen = names === undefined ? all : all.filter(({ name }) => names.includes(name));
  const entries = chosen.map(each => {
    const own = tool({
      description: each.description,
      inputSchema: jsonSchema<JsonObject>(each.inputSchema as JSONSchema7),
      execute: async (args: JsonObject) => (await callTool(each, api, args, { ...TOOL_DEFAULTS, ...settings })).texts.join('\n'),
    });
    return [each.name, own] as const;
  });
  return Object.fromEntries(entries);
}

import { type StructuredToolInterface, tool } from '@langchain/core/tools';
import { callTool, listTools, TOOL_DEFAULTS, type ToolApi, type ToolSettings } from '../../tools/index.ts';

/** Tailwater's tools for LangChain's agents: all, with one for each named context, or those named. A call that fails tells the model what to do next. */
export async function tailwaterTools(
  client: ToolApi,
  { names, ...settings }: Partial<ToolSettings> & { names?: readonly string[] } = {},
): Promise<StructuredToolInterface[]> {
  const all = await listTools(client);
  const chosen = names === undefined ? all : all.filter(({ name }) => names.includes(name));
  return chosen.map(each =>
    tool(async (args: unknown) => (await callTool(each, client, args, { ...TOOL_DEFAULTS, ...settings })).texts.join('\n'), {
      name: each.name,
      description: each.description,
      schema: each.inputSchema,
    }),
  );
}

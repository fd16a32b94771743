/** What a scripted model sees: the newest question, and what the tools have answered since. */
export interface Talk {
  /** Texts of the system before the conversation. */
  system: string;
  question: string;
  /** Names of the tools on offer. */
  tools: string[];
  results: ToolResult[];
}

export interface ToolResult {
  name: string;
  arguments: Record<string, unknown>;
  /** The tool's answer as it came; the last line is JSON. */
  output: string;
}

export interface ToolCall {
  name: string;
  arguments: Record<string, unknown>;
}

/** Either it calls tools or it says something. */
export type Decision = { calls: ToolCall[]; text?: undefined } | { text: string; calls?: undefined };

/** A model by rules: deterministic, and wrong where a model would think. What it says is computed from what the tools answered. */
export type Script = (talk: Talk) => Decision;

/** The answer of the tool that was called under this name, parsed; undefined before it was called. */
export function resultOf(talk: Talk, name: string): Record<string, unknown> | undefined {
  const result = talk.results.findLast(each => each.name === name);
  return result === undefined ? undefined : JSON.parse(result.output.trimEnd().split('\n').at(-1)!);
}

/** The values of the records in a tool's answer. */
export function valuesOf(talk: Talk, name: string, list: string): Record<string, unknown>[] {
  const items = (resultOf(talk, name)?.[list] ?? []) as { value: Record<string, unknown> }[];
  return items.map(item => item.value);
}

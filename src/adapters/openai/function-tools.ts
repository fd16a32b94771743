import { TailwaterError } from '../../base/index.ts';
import { callTool, listTools, TOOL_DEFAULTS, type Tool, type ToolApi, type ToolSettings } from '../../tools/index.ts';
import { strictSchema, withoutNulls } from './strict-schema.ts';

export interface OpenAiToolsOptions extends Partial<ToolSettings> {
  /** Which tools; default all, with one for each named context. */
  names?: readonly string[];
}

/** A function tool of the Responses API. */
export interface ResponseFunctionTool {
  type: 'function';
  name: string;
  description: string;
  parameters: Record<string, unknown>;
  strict: boolean;
}

/** A function tool of the Chat Completions API. */
export interface ChatFunctionTool {
  type: 'function';
  function: Omit<ResponseFunctionTool, 'type'>;
}

/** Tailwater's tools for OpenAI's APIs: what to offer a model, and what to do when it calls. */
export class OpenAiTools {
  readonly #api: ToolApi;
  readonly #tools: ReadonlyMap<string, Tool>;
  readonly #settings: ToolSettings;

  private constructor(api: ToolApi, tools: readonly Tool[], settings: ToolSettings) {
    this.#api = api;
    this.#tools = new Map(tools.map(tool => [tool.name, tool]));
    this.#settings = settings;
  }

  /** `api`: a `TailwaterClient` or an embedded `Tailwater`. Throws TW_NOT_FOUND for a name that no tool has. */
  static async open(api: ToolApi, { names, ...settings }: OpenAiToolsOptions = {}): Promise<OpenAiTools> {
    const all = await listTools(api);
    const unknown = names?.find(name => !all.some(tool => tool.name === name));
    if (unknown !== undefined) {
      const known = all.map(tool => tool.name).join(', ');
      throw new TailwaterError('TW_NOT_FOUND', { detail: `There is no tool "${unknown}"; there are ${known}.` });
    }
    const chosen = names === undefined ? all : all.filter(tool => names.includes(tool.name));
    return new OpenAiTools(api, chosen, { ...TOOL_DEFAULTS, ...settings });
  }

  /** For `tools` of the Responses API. Strict wherever OpenAI's strict mode can say what the tool takes. */
  get responses(): ResponseFunctionTool[] {
    return [...this.#tools.values()].map(({ name, description, inputSchema }) => {
      const strict = strictSchema(inputSchema);
      return { type: 'function', name, description, parameters: strict ?? inputSchema, strict: strict !== null };
    });
  }

  /** For `tools` of the Chat Completions API. */
  get chat(): ChatFunctionTool[] {
    return this.responses.map(({ type, ...own }) => ({ type, function: own }));
  }

  /** Runs a call as a model wrote it. Never rejects: the text says what went wrong and what to do next. */
  async call(name: string, argumentsJson: string): Promise<string> {
    const tool = this.#tools.get(name);
    if (tool === undefined) return problem('TW_NOT_FOUND', `There is no tool "${name.slice(0, 200)}".`);
    let args: unknown;
    try {
      args = JSON.parse(argumentsJson === '' ? '{}' : argumentsJson);
    } catch (error) {
      return problem('TW_MALFORMED_JSON', `The arguments are not JSON: ${(error as Error).message}.`);
    }
    const { texts } = await callTool(tool, this.#api, withoutNulls(args), this.#settings);
    return texts.join('\n');
  }
}

function problem(code: 'TW_NOT_FOUND' | 'TW_MALFORMED_JSON', detail: string): string {
  const { action } = new TailwaterError(code, { detail }).toProblem();
  return JSON.stringify({ error: { code, detail, action } });
}

/** The entry of the Responses API by which OpenAI itself calls a Tailwater server's `/mcp`, which must be reachable from there. */
export function remoteMcpTool(options: {
  serverUrl: string;
  /** Default tailwater. */
  label?: string;
  /** Default: all. */
  allowedTools?: string[];
  headers?: Record<string, string>;
  /** Whether a person approves each call; default never. `remember` writes: choose `always` where that matters. */
  requireApproval?: 'always' | 'never';
}) {
  const { serverUrl, label = 'tailwater', allowedTools, headers, requireApproval = 'never' } = options;
  return {
    type: 'mcp' as const,
    server_label: label,
    server_url: `${serverUrl.replace(/\/+$/, '')}/mcp`,
    require_approval: requireApproval,
    ...(allowedTools === undefined ? {} : { allowed_tools: allowedTools }),
    ...(headers === undefined ? {} : { headers }),
  };
}

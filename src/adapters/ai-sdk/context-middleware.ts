import type { LanguageModelMiddleware } from 'ai';
import type { ContextAnswer, ContextRequest } from '../../context/index.ts';
import type { ToolApi } from '../../tools/index.ts';

export interface ContextMiddlewareOptions {
  /** A `TailwaterClient` or an embedded `Tailwater`. */
  api: Pick<ToolApi, 'context'>;
  /** What the context has; its `query` is the newest text of the user where none is given here. */
  request: ContextRequest;
  /** Told of every context that went into a prompt: its token replays it. */
  onContext?: (answer: ContextAnswer) => void;
}

/** Puts the context, as of the moment of the call, before the conversation, as a message of the system. */
export function contextMiddleware({ api, request, onContext }: ContextMiddlewareOptions): LanguageModelMiddleware {
  return {
    transformParams: async ({ params }) => {
      const query = request.query ?? newestText(params.prompt);
      const answer = await api.context({ ...request, ...(query === undefined ? {} : { query }) });
      onContext?.(answer);
      const [first, ...rest] = params.prompt;
      const system = { role: 'system' as const, content: answer.text };
      const prompt = first?.role === 'system' ? [first, system, ...rest] : [system, ...params.prompt];
      return { ...params, prompt };
    },
  };
}

type Prompt = Parameters<NonNullable<LanguageModelMiddleware['transformParams']>>[0]['params']['prompt'];

function newestText(prompt: Prompt): string | undefined {
  const message = prompt.findLast(each => each.role === 'user');
  if (message?.role !== 'user') return undefined;
  const text = message.content.flatMap(part => (part.type === 'text' ? [part.text] : [])).join('\n');
  return text === '' ? undefined : text;
}

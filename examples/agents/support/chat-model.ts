import { BaseChatModel, type BaseChatModelCallOptions, type BindToolsInput } from '@langchain/core/language_models/chat_models';
import { AIMessage, type BaseMessage, type ToolMessage } from '@langchain/core/messages';
import type { ChatResult } from '@langchain/core/outputs';
import { convertToOpenAITool } from '@langchain/core/utils/function_calling';
import OpenAI from 'openai';
import type { ModelPlace } from '../common/story.ts';

type ChatParams = OpenAI.ChatCompletionCreateParamsNonStreaming;
type Options = BaseChatModelCallOptions & { tools?: BindToolsInput[] };

/** As much of a chat model of LangChain's as an agent needs. Where `@langchain/openai` is installed, its `ChatOpenAI` is this and more. */
export class OpenAiChat extends BaseChatModel<Options> {
  readonly #client: OpenAI;
  readonly #model: string;

  constructor({ baseURL, apiKey, model }: ModelPlace) {
    super({});
    this.#client = new OpenAI({ baseURL, apiKey });
    this.#model = model;
  }

  override _llmType(): string {
    return 'openai';
  }

  override bindTools(tools: BindToolsInput[], options: Partial<Options> = {}) {
    return this.withConfig({ ...options, tools });
  }

  override async _generate(messages: BaseMessage[], { tools = [], signal }: this['ParsedCallOptions']): Promise<ChatResult> {
    const offered = tools.map(tool => convertToOpenAITool(tool as never)) as ChatParams['tools'];
    const request: ChatParams = { model: this.#model, messages: messages.map(toOpenAi) };
    if (offered !== undefined && offered.length > 0) request.tools = offered;
    const { choices } = await this.#client.chat.completions.create(request, { ...(signal && { signal }) });
    const { content, tool_calls: calls = [] } = choices[0].message;
    const tool_calls = calls.flatMap(call =>
      call.type === 'function' ? [{ id: call.id, name: call.function.name, args: JSON.parse(call.function.arguments) }] : [],
    );
    const text = content ?? '';
    return { generations: [{ text, message: new AIMessage({ content: text, tool_calls }) }] };
  }
}

function toOpenAi(message: BaseMessage): ChatParams['messages'][number] {
  const content = message.text;
  if (message.type === 'system') return { role: 'system', content };
  if (message.type === 'tool') return { role: 'tool', content, tool_call_id: (message as ToolMessage).tool_call_id };
  if (message.type !== 'ai') return { role: 'user', content };
  const calls = ((message as AIMessage).tool_calls ?? []).map(({ id = '', name, args }) => ({
    id,
    type: 'function' as const,
    function: { name, arguments: JSON.stringify(args) },
  }));
  return { role: 'assistant', content, ...(calls.length === 0 ? {} : { tool_calls: calls }) };
}

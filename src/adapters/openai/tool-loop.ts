import type OpenAI from 'openai';
import type { Response, ResponseCreateParamsNonStreaming, ResponseInput } from 'openai/resources/responses/responses';
import { TailwaterError } from '../../base/index.ts';
import type { OpenAiTools } from './function-tools.ts';

export interface ToolStep {
  name: string;
  arguments: string;
  output: string;
}

export interface ToolLoopOptions {
  /** Answers of the model in which it may call tools; default 8. */
  maxTurns?: number;
  signal?: AbortSignal;
  /** Told of every call when it is done. */
  onStep?: (step: ToolStep) => void;
}

/**
 * Asks a model by the Responses API until it answers without calling a tool. The calls of one answer run side by side. Throws what the client
 * throws, and TW_DEADLINE when the model still calls tools after `maxTurns`.
 */
export async function runToolLoop(
  client: Pick<OpenAI, 'responses'>,
  tools: OpenAiTools,
  request: Omit<ResponseCreateParamsNonStreaming, 'stream'>,
  { maxTurns = 8, signal, onStep }: ToolLoopOptions = {},
): Promise<{ response: Response; text: string; steps: ToolStep[] }> {
  const input: ResponseInput =
    typeof request.input === 'string' ? [{ role: 'user', content: request.input }] : [...(request.input ?? [])];
  const steps: ToolStep[] = [];
  for (let turn = 0; turn < maxTurns; turn++) {
    const offered = [...(request.tools ?? []), ...tools.responses];
    const response = await client.responses.create({ ...request, input, tools: offered }, signal === undefined ? {} : { signal });
    const calls = response.output.filter(item => item.type === 'function_call');
    if (calls.length === 0) return { response, text: response.output_text, steps };
    const outputs = await Promise.all(calls.map(call => tools.call(call.name, call.arguments)));
    input.push(...(response.output as ResponseInput));
    for (const [at, call] of calls.entries()) {
      const step = { name: call.name, arguments: call.arguments, output: outputs[at] };
      steps.push(step);
      onStep?.(step);
      input.push({ type: 'function_call_output', call_id: call.call_id, output: step.output });
    }
  }
  throw new TailwaterError('TW_DEADLINE', { detail: `The model still called tools after ${maxTurns} answers.` });
}

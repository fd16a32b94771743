import { setTimeout as delay } from 'node:timers/promises';
import {
  acceptedContent,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  McpServer,
  ResourceTemplate,
  type ServerContext,
  type ServerNotifier,
} from '@modelcontextprotocol/server';
import { z } from 'zod';

/** A red dot. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
/** No sound at all. */
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';
const PAUSE_MS = 50;
const states = createRequestStateCodec<{ step: string }>({ key: 'a key of at least thirty-two bytes, for tests' });

const ABOUT = { description: 'What a scenario of the conformance suite calls.' };
const said = (text: string) => ({ content: [{ type: 'text' as const, text }] });
const image = { type: 'image' as const, data: PNG, mimeType: 'image/png' };
const form = (properties: Record<string, unknown>, required: string[] = Object.keys(properties)) =>
  ({ type: 'object', properties, required }) as never;

/** What the scenarios of the conformance suite name, mounted on our own transports. */
export function createFixture(notify: () => ServerNotifier): McpServer {
  const server = new McpServer(
    { name: 'tailwater-conformance', version: '1' },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: { listChanged: true },
        logging: {},
        completions: {},
      },
      requestState: { verify: states.verify },
    },
  );
  addPlainTools(server);
  addTalkingTools(server);
  addInputTools(server);
  addResources(server);
  addPrompts(server);
  server.registerTool('test_trigger_tool_change', ABOUT, () => {
    notify().toolsChanged();
    return said('The tools changed.');
  });
  server.registerTool('test_trigger_prompt_change', ABOUT, () => {
    notify().promptsChanged();
    return said('The prompts changed.');
  });
  return server;
}

function addPlainTools(server: McpServer): void {
  server.registerTool('test_simple_text', ABOUT, () => said('This is a simple text response for testing.'));
  server.registerTool('test_image_content', ABOUT, () => ({ content: [image] }));
  server.registerTool('test_audio_content', ABOUT, () => ({ content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] }));
  server.registerTool('test_embedded_resource', ABOUT, () => ({
    content: [
      {
        type: 'resource',
        resource: { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'This is an embedded resource content.' },
      },
    ],
  }));
  server.registerTool('test_multiple_content_types', ABOUT, () => ({
    content: [
      { type: 'text', text: 'Multiple content types test:' },
      image,
      {
        type: 'resource',
        resource: { uri: 'test://mixed-content-resource', mimeType: 'application/json', text: '{"test":"data","value":123}' },
      },
    ],
  }));
  server.registerTool('test_error_handling', ABOUT, () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
}

function addTalkingTools(server: McpServer): void {
  server.registerTool('test_tool_with_progress', ABOUT, async context => {
    const token = context.mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (token !== undefined) {
        const params = { progressToken: token, progress, total: 100 };
        await context.mcpReq.notify({ method: 'notifications/progress', params });
      }
      if (progress < 100) await delay(PAUSE_MS);
    }
    return said('Done.');
  });
  const logging = async (context: ServerContext) => {
    for (const text of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await context.mcpReq.log('info', text);
      await delay(PAUSE_MS);
    }
    return said('Logged.');
  };
  server.registerTool('test_tool_with_logging', ABOUT, logging);
  server.registerTool('test_logging_tool', ABOUT, logging);
  server.registerTool(
    'test_sampling',
    { ...ABOUT, inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, { mcpReq }) => {
      const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: prompt } }];
      const { content } = await mcpReq.requestSampling({ messages, maxTokens: 100 });
      return said(`LLM response: ${JSON.stringify(content)}`);
    },
  );
  const asking = (name: string, message: string, requestedSchema: never): void => {
    server.registerTool(name, ABOUT, async ({ mcpReq }) => {
      const { action, content } = await mcpReq.elicitInput({ message, requestedSchema });
      return said(`Elicitation completed: action=${action}, content=${JSON.stringify(content)}`);
    });
  };
  server.registerTool(
    'test_elicitation',
    { ...ABOUT, inputSchema: z.object({ message: z.string() }) },
    async ({ message }, { mcpReq }) => {
      const requestedSchema = form({ username: { type: 'string' }, email: { type: 'string' } });
      const { action, content } = await mcpReq.elicitInput({ message, requestedSchema });
      return said(`User response: action: ${action}, content: ${JSON.stringify(content)}`);
    },
  );
  asking('test_elicitation_sep1034_defaults', 'Who are you?', DEFAULTS);
  asking('test_elicitation_sep1330_enums', 'Which ones?', ENUMS);
}

const DEFAULTS = form(
  {
    name: { type: 'string', default: 'John Doe' },
    age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', default: true },
  },
  [],
);

const OPTIONS = ['option1', 'option2', 'option3'];
const titled = (what: string) =>
  ['First', 'Second', 'Third'].map((each, at) => ({ const: `value${at + 1}`, title: `${each} ${what}` }));
const ENUMS = form(
  {
    untitledSingle: { type: 'string', enum: OPTIONS },
    titledSingle: { type: 'string', oneOf: titled('Option') },
    legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'] },
    untitledMulti: { type: 'array', items: { type: 'string', enum: OPTIONS } },
    titledMulti: { type: 'array', items: { anyOf: titled('Choice') } },
  },
  [],
);

const NAME = {
  user_name: inputRequired.elicit({ message: 'What is your name?', requestedSchema: form({ name: { type: 'string' } }) }),
};
const CONFIRM = {
  confirm: inputRequired.elicit({ message: 'Please confirm', requestedSchema: form({ ok: { type: 'boolean' } }) }),
};
const sampled = (text: string, maxTokens: number) =>
  inputRequired.createMessage({ messages: [{ role: 'user', content: { type: 'text', text } }], maxTokens });

function addInputTools(server: McpServer): void {
  const tool = (name: string, run: (context: ServerContext) => unknown): void => {
    server.registerTool(name, ABOUT, async context => (await run(context)) as ReturnType<typeof said>);
  };
  const askName = ({ mcpReq }: ServerContext): unknown => {
    const given = acceptedContent(mcpReq.inputResponses, 'user_name', z.object({ name: z.string() }));
    return given === undefined ? inputRequired({ inputRequests: NAME }) : said(`Hello, ${given.name}!`);
  };
  tool('test_input_required_result_elicitation', askName);
  tool('test_streaming_elicitation', askName);
  tool('test_input_required_result_sampling', ({ mcpReq }) => {
    const given = inputResponse(mcpReq.inputResponses, 'capital_question');
    if (given.kind === 'sampling') return said(JSON.stringify(given.result.content));
    return inputRequired({ inputRequests: { capital_question: sampled('What is the capital of France?', 100) } });
  });
  tool('test_input_required_result_list_roots', ({ mcpReq }) => {
    const given = inputResponse(mcpReq.inputResponses, 'client_roots');
    if (given.kind === 'roots') return said(given.roots.map(({ uri }) => uri).join(' '));
    return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  });
  const confirmed = async (context: ServerContext): Promise<unknown> => {
    const { mcpReq } = context;
    const state = mcpReq.requestState<{ step: string }>();
    const given = acceptedContent(mcpReq.inputResponses, 'confirm');
    if (state !== undefined && given !== undefined) return said('state-ok');
    return inputRequired({ inputRequests: CONFIRM, requestState: await states.mint({ step: 'confirm' }, context) });
  };
  tool('test_input_required_result_request_state', confirmed);
  tool('test_input_required_result_tampered_state', confirmed);
  tool('test_input_required_result_multiple_inputs', async context => {
    const { inputResponses } = context.mcpReq;
    const kinds = ['user_name', 'greeting', 'client_roots'].map(key => inputResponse(inputResponses, key).kind);
    if (!kinds.includes('missing')) return said('All is there.');
    return inputRequired({
      inputRequests: { ...NAME, greeting: sampled('Generate a greeting', 50), client_roots: inputRequired.listRoots() },
      requestState: await states.mint({ step: 'all' }, context),
    });
  });
  tool('test_input_required_result_multi_round', multiRound);
  tool('test_input_required_result_capabilities', ({ mcpReq }) => {
    const declared = clientCapabilities(mcpReq);
    const inputRequests = {
      ...(declared.sampling === undefined ? {} : { question: sampled('What now?', 10) }),
      ...(declared.elicitation === undefined ? {} : NAME),
    };
    return Object.keys(inputRequests).length === 0 ? said('Nothing can be asked.') : inputRequired({ inputRequests });
  });
  tool('test_missing_capability', ({ mcpReq }) => {
    if (inputResponse(mcpReq.inputResponses, 'question').kind === 'sampling') return said('It is declared.');
    return inputRequired({ inputRequests: { question: sampled('What now?', 10) } });
  });
}

async function multiRound(context: ServerContext): Promise<unknown> {
  const { mcpReq } = context;
  const step = mcpReq.requestState<{ step: string }>()?.step ?? 'none';
  const ask = async (key: string, message: string, field: string): Promise<unknown> => {
    const requestedSchema = form({ [field]: { type: 'string' } });
    return inputRequired({
      inputRequests: { [key]: inputRequired.elicit({ message, requestedSchema }) },
      requestState: await states.mint({ step: key }, context),
    });
  };
  if (step === 'step2' && acceptedContent(mcpReq.inputResponses, 'step2') !== undefined) return said('Done.');
  if (step === 'step1' && acceptedContent(mcpReq.inputResponses, 'step1') !== undefined) {
    return ask('step2', 'Step 2: What is your favorite color?', 'color');
  }
  return ask('step1', 'Step 1: What is your name?', 'name');
}

function clientCapabilities(request: ServerContext['mcpReq']): { sampling?: unknown; elicitation?: unknown } {
  const envelope = request.envelope as Record<string, unknown> | undefined;
  return (envelope?.['io.modelcontextprotocol/clientCapabilities'] ?? {}) as { sampling?: unknown };
}

function addResources(server: McpServer): void {
  const text = (uri: string, content: string, mimeType = 'text/plain') => ({ contents: [{ uri, mimeType, text: content }] });
  server.registerResource('static-text', 'test://static-text', { mimeType: 'text/plain' }, uri =>
    text(uri.href, 'This is the content of the static text resource.'),
  );
  server.registerResource('static-binary', 'test://static-binary', { mimeType: 'image/png' }, uri => ({
    contents: [{ uri: uri.href, mimeType: 'image/png', blob: PNG }],
  }));
  server.registerResource('watched', 'test://watched-resource', { mimeType: 'text/plain' }, uri => text(uri.href, 'Watched.'));
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined });
  server.registerResource('template', template, { mimeType: 'application/json' }, (uri, { id }) =>
    text(uri.href, JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }), 'application/json'),
  );
  server.server.setRequestHandler('resources/subscribe', () => ({}));
  server.server.setRequestHandler('resources/unsubscribe', () => ({}));
  server.server.setRequestHandler('completion/complete', () => ({ completion: { values: [], total: 0, hasMore: false } }));
}

function addPrompts(server: McpServer): void {
  const user = (content: object) => ({ role: 'user' as const, content: content as { type: 'text'; text: string } });
  const text = (words: string) => user({ type: 'text', text: words });
  server.registerPrompt('test_simple_prompt', ABOUT, () => ({ messages: [text('This is a simple prompt for testing.')] }));
  const twoArguments = z.object({ arg1: z.string(), arg2: z.string() });
  server.registerPrompt('test_prompt_with_arguments', { ...ABOUT, argsSchema: twoArguments }, ({ arg1, arg2 }) => ({
    messages: [text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)],
  }));
  const embedding = z.object({ resourceUri: z.string() });
  server.registerPrompt('test_prompt_with_embedded_resource', { ...ABOUT, argsSchema: embedding }, ({ resourceUri: uri }) => ({
    messages: [
      user({ type: 'resource', resource: { uri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' } }),
      text('Please process the embedded resource above.'),
    ],
  }));
  server.registerPrompt('test_prompt_with_image', ABOUT, () => ({
    messages: [user(image), text('Please analyze the image above.')],
  }));
  server.registerPrompt('test_input_required_result_prompt', ABOUT, ({ mcpReq }) => {
    const given = acceptedContent(mcpReq.inputResponses, 'user_context');
    if (given !== undefined) return { messages: [text(`Context: ${given.context}`)] };
    const requestedSchema = form({ context: { type: 'string' } });
    const message = 'What context should the prompt use?';
    return inputRequired({ inputRequests: { user_context: inputRequired.elicit({ message, requestedSchema }) } }) as never;
  });
}

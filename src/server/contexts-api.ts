import type { JsonValue } from '../base/index.ts';
import type {
  ContextAnswer,
  ContextCall,
  ContextDefinition,
  ContextDefinitions,
  ContextInfo,
  ContextRequest,
} from '../context/index.ts';

/** Contexts with names: the same on the embedded engine and the HTTP client. Every rejection is a TailwaterError. */
export interface ContextsApi {
  /** Defines a context, or a new version of it. */
  apply(name: string, definition: ContextDefinition | JsonValue): Promise<ContextInfo>;
  /** TW_CONTEXT_NOT_FOUND. */
  get(name: string): Promise<ContextInfo>;
  /** By name. */
  list(): Promise<ContextInfo[]>;
  remove(name: string): Promise<void>;
  /** TW_CONTEXT_PARAMETERS, and what an ad hoc context throws. */
  call(name: string, call?: ContextCall): Promise<ContextAnswer>;
}

/** Of the engine: what a call asks can be looked at before it is answered. */
export interface EngineContextsApi extends ContextsApi {
  /** TW_CONTEXT_NOT_FOUND, TW_CONTEXT_PARAMETERS. */
  request(name: string, call: ContextCall): Promise<ContextRequest>;
}

/** The contexts of this process behind the interface that the HTTP client has too. */
export class EngineContexts implements EngineContextsApi {
  readonly #definitions: ContextDefinitions;
  readonly #assemble: (request: ContextRequest) => Promise<ContextAnswer>;

  constructor(definitions: ContextDefinitions, assemble: (request: ContextRequest) => Promise<ContextAnswer>) {
    this.#definitions = definitions;
    this.#assemble = assemble;
  }

  apply(name: string, definition: ContextDefinition | JsonValue): Promise<ContextInfo> {
    return this.#definitions.apply(name, definition as JsonValue);
  }

  get(name: string): Promise<ContextInfo> {
    return this.#definitions.get(name);
  }

  list(): Promise<ContextInfo[]> {
    return this.#definitions.list();
  }

  remove(name: string): Promise<void> {
    return this.#definitions.remove(name);
  }

  request(name: string, call: ContextCall): Promise<ContextRequest> {
    return this.#definitions.request(name, call);
  }

  async call(name: string, call: ContextCall = {}): Promise<ContextAnswer> {
    return this.#assemble(await this.request(name, call));
  }
}

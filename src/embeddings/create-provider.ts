import { TailwaterError } from '../base/index.ts';
import { GIVEN, GivenProvider } from './given-provider.ts';
import { HashProvider } from './hash-provider.ts';
import { OpenAiProvider } from './openai-provider.ts';
import type { EmbeddingProvider } from './provider.ts';

export interface ProviderSettings {
  provider: string;
  model: string;
  dimensions: number;
}

export interface ProviderSecrets {
  openai?: { apiKey?: string; baseURL?: string };
}

const MODELS_OF_HASH = ['hash-v1'];

/** Throws TW_SETTING for a provider or model that does not exist, naming those that do. */
export function createProvider(settings: ProviderSettings, secrets: ProviderSecrets): EmbeddingProvider {
  const { provider, model, dimensions } = settings;
  switch (provider) {
    case 'hash':
      if (MODELS_OF_HASH.includes(model)) return new HashProvider({ dimensions });
      throw unknown(`Provider "hash" has no model "${model}"; it has ${MODELS_OF_HASH.join(', ')}.`);
    case GIVEN:
      return new GivenProvider({ model, dimensions });
    case 'openai':
      return new OpenAiProvider({ model, dimensions, ...secrets.openai });
    default:
      throw unknown(`There is no embedding provider "${provider}"; there are given, hash, openai.`);
  }
}

function unknown(detail: string): TailwaterError {
  return new TailwaterError('TW_SETTING', { detail });
}

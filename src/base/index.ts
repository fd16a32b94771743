export { AdditiveHash, hashOfRange } from './additive-hash.ts';
export { BinaryReader, BinaryWriter } from './binary.ts';
export { crc32c, equalBytes, fromBase64Url, fromUtf8, toBase64Url, utf8 } from './bytes.ts';
export { type Clock, systemClock, type Timer } from './clock.ts';
export { ERROR_KINDS, type ErrorCode } from './error-kinds.ts';
export { asTailwaterError, type ErrorDetails, isTailwaterError, type Problem, TailwaterError } from './errors.ts';
export { isDeeperThan, isJsonObject, type JsonObject, type JsonValue, valueAt } from './json.ts';
export { type Logger, silentLogger } from './logger.ts';
export { type Random, randomId, seededRandom, systemRandom } from './random.ts';

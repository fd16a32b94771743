export { type ContextMiddlewareOptions, contextMiddleware } from './context-middleware.ts';
export { aiTools } from './tools.ts';

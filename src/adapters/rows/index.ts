export { appendAll, deleteRows, ensureStream, rowsOf } from './rows.ts';
export { scanValues } from './scan-values.ts';

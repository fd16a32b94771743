import { TailwaterError } from '../../../base/index.ts';
import type { App } from '../context.ts';

const NAMESPACE = '/v1/namespaces/:namespace';
const VIEW = `${NAMESPACE}/views/:view`;

/** What the protocol has and this catalog does not. `GET /v1/config` leaves it out, which newer clients heed; others ask all the same. */
const UNSERVED: readonly { method: string[]; url: string; what: string }[] = [
  { method: ['GET', 'POST'], url: `${NAMESPACE}/views`, what: 'no views' },
  { method: ['POST'], url: '/v1/views/rename', what: 'no views' },
  { method: ['POST'], url: `${NAMESPACE}/register-view`, what: 'no views' },
  {
    method: ['POST'],
    url: `${NAMESPACE}/register`,
    what: 'no registration of metadata files: tables lie in folders that the catalog chooses; create the table and write its rows',
  },
  { method: ['POST'], url: `${NAMESPACE}/tables/:table/plan`, what: 'no planning of scans: clients plan them' },
  { method: ['GET', 'DELETE'], url: `${NAMESPACE}/tables/:table/plan/:plan`, what: 'no planning of scans: clients plan them' },
  { method: ['POST'], url: `${NAMESPACE}/tables/:table/tasks`, what: 'no planning of scans: clients plan them' },
];

export function addUnservedRoutes(app: App): void {
  for (const { method, url, what } of UNSERVED) {
    app.route({
      method,
      url,
      schema: { hide: true },
      handler: () => {
        throw new TailwaterError('TW_CATALOG_UNSUPPORTED', { detail: `This catalog has ${what}.` });
      },
    });
  }
  // Clients look for a view of a name before, or after, they look for a table: only "not found" lets them go on.
  app.route<{ Params: { view: string } }>({
    method: ['GET', 'HEAD', 'POST', 'DELETE'],
    url: VIEW,
    schema: { hide: true },
    handler: ({ params }) => {
      throw new TailwaterError('TW_CATALOG_VIEW_NOT_FOUND', {
        detail: `There is no view "${params.view}": this catalog has no views.`,
      });
    },
  });
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { envName } from '../../src/server/config/setting.ts';
import { SETTINGS } from '../../src/server/index.ts';
import { ROOT } from './shell.ts';

interface Node {
  image: string;
  environment: Record<string, string>;
  stop_grace_period: string;
  ports?: string[];
}

interface Deployment {
  kind: string;
  spec: {
    selector: { matchLabels: object };
    template: {
      metadata: { labels: object };
      spec: { terminationGracePeriodSeconds: number; containers: { envFrom: object[] }[] };
    };
  };
}

const FILES = ['Dockerfile', 'compose.yaml', 'kubernetes.yaml'];

function textOf(name: string): string {
  return readFileSync(join(ROOT, 'deploy', name), 'utf8');
}

function documentsOf(name: string): unknown[] {
  return parseAllDocuments(textOf(name), { merge: true }).map(document => {
    expect(document.errors).toEqual([]);
    return document.toJS();
  });
}

describe('the files that start a deployment in containers', () => {
  test('name settings that exist, and paths and commands of this version', () => {
    const known = SETTINGS.map(envName);
    for (const name of FILES) {
      const text = textOf(name);
      for (const [variable] of text.matchAll(/TAILWATER_[A-Z0-9_]+/g))
        expect(known, `${variable} in ${name}`).toContain(variable);
      for (const [path] of text.matchAll(/\/(?:readyz|healthz|metrics)\b/g))
        expect(['/readyz', '/healthz', '/metrics']).toContain(path);
    }
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(textOf('kubernetes.yaml').match(/image: tailwater:\S+/g)).toEqual([
      `image: tailwater:${version}`,
      `image: tailwater:${version}`,
    ]);
  });

  test('give every node the administrator’s key, somebody the work, and time to stop', () => {
    const [{ services }] = documentsOf('compose.yaml') as { services: Record<string, Node> }[];
    const nodes = Object.values(services).filter(({ image }) => image === 'tailwater');
    expect(nodes.map(({ environment }) => environment.TAILWATER_ROLES)).toEqual(['ingest,retrieve', 'ingest,retrieve', 'work']);
    for (const node of nodes) {
      expect(node.environment.TAILWATER_ADMIN_KEY).toMatch(/^\$\{TAILWATER_ADMIN_KEY:\?/);
      expect(Number.parseInt(node.stop_grace_period, 10)).toBeGreaterThan(30);
      for (const port of node.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
    const deployments = (documentsOf('kubernetes.yaml') as Deployment[]).filter(({ kind }) => kind === 'Deployment');
    expect(deployments).toHaveLength(2);
    for (const { spec } of deployments) {
      const { containers, terminationGracePeriodSeconds } = spec.template.spec;
      expect(terminationGracePeriodSeconds).toBeGreaterThan(30);
      expect(containers[0].envFrom).toContainEqual({ secretRef: { name: 'tailwater' } });
      expect(spec.selector.matchLabels).toEqual(spec.template.metadata.labels);
    }
  });
});

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a simulated run's events depend on, in the repository: this file runs as `dist/harness/simulate/…`. */
const repository = fileURLToPath(new URL('../../..', import.meta.url));
const rooms = [
  'system',
  'nemesis',
  'harness/generator',
  'harness/mutants',
  'harness/runner',
  'harness/simulate',
  'harness/target',
  'harness/workload',
];

/** A digest of that source, the same for every clone of one commit: runs of equal versions give equal hashes. */
export function codeVersion(): string {
  const hash = createHash('sha256');
  for (const room of rooms) {
    const names = readdirSync(join(repository, room), { recursive: true, encoding: 'utf8' });
    for (const name of names.filter((file) => /(?<!\.test)\.ts$/.test(file)).sort()) {
      hash.update(`${room}/${name.replaceAll('\\', '/')}\0`).update(readFileSync(join(repository, room, name)));
    }
  }
  return hash.digest('hex').slice(0, 12);
}

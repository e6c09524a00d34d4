/**
 * The names inside a run folder, `results/runs/<test>/<UTC time>-<seed>/`, and of the links beside it.
 * docs/results.md explains each of them.
 */
export const files = {
  test: 'test.json',
  history: 'history.ndjson',
  faults: 'faults.ndjson',
  steps: 'steps.ndjson',
  messages: 'messages.ndjson',
  results: 'results.json',
  report: 'report.html',
  anomaly: 'anomaly.txt',
  nodes: 'nodes',
  audit: 'audit.ndjson',
  log: 'node.log',
  exits: 'exits.ndjson',
  latest: 'latest',
} as const;

/** Where run folders go unless `--results` says otherwise, relative to the working directory. */
export const defaultRunsRoot = 'results/runs';

/** Where nights go, each with run folders of its own. */
export const defaultNightsRoot = 'results/nightly';

/** `20261122T163000.123Z-42`: sorts by time; the seed tells runs apart for a person. */
export function runId(started: Date, seed: string | number): string {
  return `${started.toISOString().replaceAll(/[-:]/g, '')}-${safeName(String(seed))}`;
}

/** A name that is one path segment on any file system; what cannot stand in one becomes `_`. */
export function safeName(name: string): string {
  const safe = name.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, 100);
  return safe === '' || /^\.+$/.test(safe) ? `_${safe}` : safe;
}

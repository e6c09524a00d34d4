import type { Op } from '../../checker/history/op.ts';
import type { Anomaly, Results, Section } from '../../checker/verdict.ts';

/**
 * Sections in the order of depth: what is broken further inside makes what is seen further outside. A run is known by
 * the deepest of what it shows.
 */
const depth: readonly string[] = ['election', 'crash', 'log', 'hash', 'core-liveness', 'liveness'];

/** Kinds that are one break seen at different moments. */
const sameBreak: { readonly [kind: string]: string } = { 'acknowledged-without-effect': 'lost-write' };

/** The deepest section that failed. */
export function deepest({ sections }: Results): readonly [name: string, section: Section] | undefined {
  const failed = Object.entries(sections).filter(([, { valid }]) => valid === false);
  return failed.sort(([a], [b]) => rank(a) - rank(b))[0];
}

/**
 * What a failing run is grouped by: the deepest section that failed, its kind of anomaly, and the shape of the
 * smallest counterexample: the function of the operation in which it came to light. Cycles differ from run to run of
 * one bug, so of a transaction checker's kinds only the first counts, without its order edges (`-realtime`).
 */
export function signatureOf(results: Results, history: readonly Op[]): string {
  const failed = deepest(results);
  if (failed === undefined) return 'none';
  const [section, { anomalies }] = failed;
  const [anomaly] = anomalies;
  if (anomaly === undefined) return section;
  const shape = rank(section) < depth.length ? undefined : lastFunction(anomaly, history);
  const kind = anomaly.kind.replace(/-(realtime|process)$/, '');
  return `${section}:${sameBreak[kind] ?? kind}${shape === undefined ? '' : ` (${shape})`}`;
}

function rank(section: string): number {
  const at = depth.indexOf(section);
  return at === -1 ? depth.length : at;
}

function lastFunction({ ops }: Anomaly, history: readonly Op[]): string | undefined {
  return ops.length === 0 ? undefined : history[Math.max(...ops)]?.f;
}

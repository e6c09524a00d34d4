import type { History, Op, Value } from '../../checker/history/op.ts';
import { type Anomaly, type Section, unknown } from '../../checker/verdict.ts';
import { isAnswer } from './operations.ts';
import { convergeName, phaseStart, togetherName } from './phase.ts';

/**
 * After everything was healed: did the cluster come together again within the bound, and did every node then serve?
 * The same whenever a nemesis has healed everything in the middle of a run, as far as that run came.
 * A final operation that no try of could carry out is a node that does not serve.
 */
export function checkLiveness(history: History): Section {
  const rests = history.filter(({ process, f }) => process === 'nemesis' && f === togetherName);
  const apart = rests.find(({ value }) => readOutcome(value)?.converged === false);
  if (apart !== undefined) return notTogether(apart, readOutcome(apart.value)!);
  const converge = history.find(({ process, f }) => process === 'nemesis' && f === convergeName);
  const outcome = readOutcome(converge?.value);
  if (converge === undefined || outcome === undefined) {
    return unknown('the run ended before it was seen whether the cluster comes together again');
  }
  const final = phaseStart(history, 'final');
  if (outcome.converged === false) {
    const isCutShort = phaseStart(history, 'interrupted') !== undefined && outcome.tookMs < outcome.boundMs;
    if (isCutShort) return unknown('interrupted while waiting for convergence');
    return notTogether(converge, outcome);
  }
  if (final === undefined) return unknown('the run ended before the final operations');

  const wanted = finalOperations(history.slice(final));
  const isOver = phaseStart(history, 'end') !== undefined;
  // Of a run that was cut short: what its node had been given up for, and went on to something else.
  const isGivenUp = ({ op }: Wanted, at: number) =>
    isOver || wanted.some((later, laterAt) => laterAt > at && later.op.node === op.node);
  const anomalies = wanted
    .filter((one, at) => !one.served && isGivenUp(one, at))
    .map(({ op, tries }): Anomaly => {
      const what = `${op.f}${op.key === undefined ? '' : ` of key ${JSON.stringify(op.key)}`}`;
      return {
        kind: 'not-serving',
        message: `node ${op.node} of the healed cluster did not carry out a ${what} in ${tries.length} tries`,
        ops: tries,
        evidence: { node: op.node ?? null, tries: tries.length },
        ...(op.key === undefined ? {} : { key: op.key }),
      };
    });
  const counts = { converged: 1 + rests.length, tookMs: outcome.tookMs, finalOperations: wanted.length };
  const [first] = anomalies;
  if (first !== undefined) {
    return { valid: false, summary: `${anomalies.length} not served: ${first.message}`, anomalies, counts };
  }
  if (wanted.length === 0) return unknown('there were no final operations', counts);
  if (!isOver) return unknown('the run ended before the final operations did', counts);
  if (rests.some(({ value }) => readOutcome(value) === undefined)) {
    return unknown('what a rest in the middle came to cannot be read', counts);
  }
  const times = rests.length === 1 ? 'once' : `${rests.length} times`;
  const often = rests.length === 0 ? '' : `${times} in the middle, and at the end `;
  const summary = `${often}together again after ${outcome.tookMs / 1000} s, then ${wanted.length} final operations served`;
  return { valid: true, summary, anomalies: [], counts };
}

function notTogether({ index }: Op, outcome: Outcome): Section {
  const message = `the healed cluster did not come together within ${outcome.boundMs / 1000} s`;
  const anomaly: Anomaly = { kind: 'no-convergence', message, ops: [index], evidence: { ...outcome } };
  return { valid: false, summary: message, anomalies: [anomaly], counts: { converged: 0, finalOperations: 0 } };
}

interface Wanted {
  readonly op: Op;
  /** Indices of its invocations. */
  readonly tries: number[];
  served: boolean;
}

/** What was asked of each node, whatever number of tries it took. */
function finalOperations(history: History): readonly Wanted[] {
  const wanted = new Map<string, Wanted>();
  const open = new Map<number | 'nemesis', Wanted>();
  for (const op of history) {
    if (op.process === 'nemesis') continue;
    if (op.type === 'invoke') {
      // A write has another value with each try.
      const name = JSON.stringify([op.node, op.f, op.key ?? op.value]);
      const entry = wanted.get(name) ?? { op, tries: [], served: false };
      wanted.set(name, entry);
      entry.tries.push(op.index);
      open.set(op.process, entry);
    } else {
      const entry = open.get(op.process);
      if (entry !== undefined && isAnswer(op)) entry.served = true;
    }
  }
  return [...wanted.values()];
}

/** What the convergence line says; undefined when there is none. */
interface Outcome {
  readonly converged: boolean;
  readonly tookMs: number;
  readonly boundMs: number;
  readonly nodes: Value;
}

function readOutcome(value: Value | undefined): Outcome | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { converged, tookMs, boundMs, nodes = null } = value as { readonly [name: string]: Value };
  if (typeof converged !== 'boolean' || typeof tookMs !== 'number' || typeof boundMs !== 'number') return undefined;
  return { converged, tookMs, boundMs, nodes };
}

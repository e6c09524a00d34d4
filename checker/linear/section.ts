import { type Calls, OPEN } from '../history/calls.ts';
import { type Events, NONE, OK, type Ref } from '../history/events.ts';
import type { Value } from '../history/op.ts';
import type { Model } from '../model/model.ts';
import { type Anomaly, type Section, unknown, type Valid, worst } from '../verdict.ts';
import { counted } from '../words.ts';
import { type FailedCas, failedAs } from './operations.ts';
import { type LinearOptions, modelOf } from './options.ts';

/** How a key was decided: by the zones of its values, by looking at elements, or by the general search. */
type Path = 'zones' | 'elements' | 'search';

/** What became of one key: plain data, so that it can come from a worker thread. */
export interface KeyVerdict {
  readonly key: Ref;
  readonly valid: Valid;
  readonly path: Path;
  readonly operations: number;
  readonly reason?: string;
  readonly anomaly?: Anomaly;
  readonly frontier?: Value;
  /** Indices of invocations, in the order of a linearization. */
  readonly order?: readonly number[];
}

/** The section that the verdicts of all keys make. */
export function sectionOf(
  events: Events,
  options: LinearOptions,
  calls: Calls,
  verdicts: readonly KeyVerdict[],
): Section {
  const model = modelOf(options.model);
  const { length, complete } = calls;
  if (length === 0) return uninformed('the history holds no operation of a client', events.length, options);
  let completed = 0;
  for (let i = 0; i < length; i++) if (complete[i] !== OPEN) completed++;
  const counts = { operations: length, completed, unknownOutcomes: length - completed, keys: verdicts.length };
  const section = summarize(events, model, verdicts, counts);
  if (section.valid !== true || isInformed(events, calls, model, options.failedCas)) return section;
  return uninformed('nothing in the history tells anything of the state: no reads', events.length, options, section);
}

/** The section on a history that tells nothing, of this many events. One that holds nothing at all is never valid. */
export function uninformed(
  reason: string,
  events: number,
  { vacuous }: LinearOptions,
  { counts, details }: Pick<Section, 'counts' | 'details'> = { counts: { operations: 0 } },
): Section {
  if (vacuous !== 'valid' || events === 0) return unknown(reason, counts);
  return {
    valid: true,
    summary: `vacuously linearizable: ${reason}`,
    anomalies: [],
    counts,
    ...(details && { details }),
  };
}

/** Whether any call's answer says something of the state, so that a verdict rests on something. */
function isInformed(events: Events, calls: Calls, model: Model<unknown>, failedCas: FailedCas | undefined): boolean {
  const { f, names, type } = events;
  const { length, invoke, complete } = calls;
  const blind = Uint8Array.from(names, (name) => (model.blind?.includes(name) ? 1 : 0));
  for (let i = 0; i < length; i++) {
    const end = complete[i]!;
    if (end === OPEN || blind[f[invoke[i]!]!] === 1) continue;
    if (type[end] === OK || failedAs(events, model, invoke[i]!, end, failedCas)) return true;
  }
  return false;
}

function summarize(
  events: Events,
  model: Model<unknown>,
  verdicts: readonly KeyVerdict[],
  counts: { readonly [name: string]: number },
): Section {
  const valid = worst(verdicts.map((one) => one.valid));
  const anomalies = verdicts.flatMap((one) => one.anomaly ?? []);
  const undecided = verdicts.filter((one) => one.valid === 'unknown');
  const keys = verdicts.length;
  const certified = verdicts.filter((one) => one.order !== undefined);
  const looked = `${counted(counts.operations ?? 0, 'operation')} on ${counted(keys, 'key')}`;
  const summaries = {
    true: `linearizable: ${looked}`,
    false: `not linearizable: ${anomalies.length} of ${counted(keys, 'key')}; ${looked}`,
    unknown: `not decided: ${undecided.length} of ${counted(keys, 'key')}; ${looked}`,
  };
  return {
    valid,
    summary: summaries[`${valid}`],
    ...(valid === 'unknown' ? { reason: undecided[0]?.reason ?? 'nothing was decided' } : {}),
    anomalies,
    counts,
    details: {
      model: model.name,
      paths: pathsOf(verdicts),
      ...(undecided.length === 0 ? {} : { undecided: undecided.slice(0, 10).map((one) => one.frontier ?? null) }),
      ...(certified.length === 0
        ? {}
        : {
            certificates: certified.map(({ key, order }) => ({
              ...(key === NONE ? {} : { key: events.value(key) }),
              order: order ?? [],
            })),
          }),
    },
  };
}

/** How many keys and operations each path decided. */
function pathsOf(verdicts: readonly KeyVerdict[]): Value {
  const paths: { [path in Path]?: { keys: number; operations: number } } = {};
  for (const { path, operations } of verdicts) {
    const { keys, operations: sum } = paths[path] ?? { keys: 0, operations: 0 };
    paths[path] = { keys: keys + 1, operations: sum + operations };
  }
  return paths;
}

import { OPEN } from '../history/calls.ts';
import { type Events, NONE, OK } from '../history/events.ts';
import { HistoryError } from '../history/history-error.ts';
import type { Value } from '../history/op.ts';
import type { Model, Operation } from '../model/model.ts';

export type FailedCas = 'observed' | 'ignored';

/**
 * What a failed call says: `refused` that its condition did not hold, undefined that nothing is known of the state
 * because it did not happen. By default a cas that failed with one of the model's refusals is an observation.
 */
export function failedAs(
  events: Events,
  model: Model<unknown>,
  invoke: number,
  complete: number,
  failedCas: FailedCas | undefined,
): 'refused' | undefined {
  if (events.names[events.f[invoke]!] === 'cas' && failedCas !== undefined) {
    return failedCas === 'observed' ? 'refused' : undefined;
  }
  const error = events.error[complete]!;
  if (error === NONE || model.refusals === undefined) return undefined;
  const text = events.value(error);
  return typeof text === 'string' && model.refusals.includes(text) ? 'refused' : undefined;
}

/** The operation of the call between two events, or undefined for one that did not happen and says nothing. */
export function operationOf(
  events: Events,
  invoke: number,
  complete: number,
  model: Model<unknown>,
  failedCas: FailedCas | undefined,
): Operation | undefined {
  const f = events.names[events.f[invoke]!]!;
  if (model.functions !== undefined && !model.functions.includes(f)) {
    const known = model.functions.join(', ');
    throw new HistoryError(
      `event ${invoke}: the model ${model.name} has no function ${JSON.stringify(f)}, only ${known}`,
    );
  }
  const argument: Value = events.valueAt(invoke);
  const process = events.process[invoke]!;
  if (complete === OPEN) return { f, argument, result: undefined, outcome: 'unknown', process };
  if (events.type[complete] === OK) return { f, argument, result: events.valueAt(complete), outcome: 'ok', process };
  if (failedAs(events, model, invoke, complete, failedCas) === 'refused') {
    return { f, argument, result: null, outcome: 'refused', process };
  }
  return undefined;
}

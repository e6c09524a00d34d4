import type { Value } from '../history/op.ts';
import type { Model } from '../model/model.ts';
import { isModelName, type ModelName, modelNames, models } from '../model/models.ts';
import type { FailedCas } from './operations.ts';
import type { SearchBounds } from './problem.ts';

export interface LinearOptions {
  /** One of ours by name, or your own. */
  readonly model: ModelName | Model<unknown>;
  /**
   * Whether a `fail` of a cas is an observation that the state was different. Default: exactly when its error is
   * `cas-mismatch`.
   */
  readonly failedCas?: FailedCas;
  /** The state before the first operation; the model's own default when absent. */
  readonly initial?: Value;
  /** The verdict on a history in which nothing tells anything of the state; default `unknown`. */
  readonly vacuous?: Vacuous;
  /** Bound on time, counted by `now`; default 60,000. Reached: `unknown`. */
  readonly timeMaxMs?: number;
  /** A clock, in milliseconds. Without one only the bound on memory holds. */
  readonly now?: () => number;
  /** Bound on the configurations that the search of one key may hold at once; default 1,000,000. Reached: `unknown`. */
  readonly configurationsMax?: number;
  /** Whether violations are shrunk and explained; default true. */
  readonly explain?: boolean;
  /** Puts the linearization of every valid key into `details.certificates`. */
  readonly certificate?: boolean;
}

/**
 * A history in which nothing was observed contradicts nothing. Whether that makes it valid depends on who asks: of a
 * run it shows that nothing was tested, which is unknown; of another tool's history the question may be just that.
 */
export type Vacuous = 'valid' | 'unknown';

const TIME_MAX_MS = 60_000;
const CONFIGURATIONS_MAX = 1_000_000;

/** The bounds of a search that starts now. */
export function boundsOf({ now, timeMaxMs, configurationsMax }: LinearOptions): SearchBounds {
  const deadline = (now?.() ?? 0) + (timeMaxMs ?? TIME_MAX_MS);
  return {
    configurationsMax: configurationsMax ?? CONFIGURATIONS_MAX,
    expired: () => now !== undefined && now() > deadline,
  };
}

export function modelOf(model: LinearOptions['model']): Model<unknown> {
  if (typeof model !== 'string') return model;
  if (isModelName(model)) return models[model];
  throw new RangeError(`no model has the name ${model}; there are ${modelNames.join(', ')}`);
}

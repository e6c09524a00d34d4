import type { FaultRecord } from '../../nemesis/world.ts';
import type { Recorder } from './recorder.ts';

/**
 * Whether so much has happened by now that the verdict is not unknown for want of it (`checkOperations`,
 * `checkFaults`): how much that takes of a run's time depends on the machine.
 */
export class Sufficiency {
  readonly #kinds: number;
  readonly #recorder: Pick<Recorder, 'counts' | 'unanswered'>;
  /** Kinds of which a fault was seen to work, with how many operations had succeeded then. */
  readonly #worked = new Map<string, number>();

  /** @param kinds so many kinds of faults must have had their turn */
  constructor(kinds: number, recorder: Pick<Recorder, 'counts' | 'unanswered'>) {
    this.#kinds = kinds;
    this.#recorder = recorder;
  }

  /** To be told of each fault that has begun. */
  began({ kind, effects }: Pick<FaultRecord, 'kind' | 'effects'>): void {
    const worked = effects.some(({ effect }) => effect === 'proven');
    if (worked && !this.#worked.has(kind)) this.#worked.set(kind, this.#recorder.counts.ok);
  }

  get isReached(): boolean {
    const { counts, unanswered } = this.#recorder;
    const tried = [...this.#worked.values()].filter((okBefore) => counts.ok > okBefore).length;
    return counts.ok > 0 && unanswered.length === 0 && tried >= this.#kinds;
  }
}

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Events, Ref } from '../../checker/history/events.ts';
import type { KeyVerdict } from '../../checker/linear/section.ts';
import type { KeyAnswer, KeyQuestion, KeyWork } from './key-worker.ts';

const THREADS_MAX = 16;

/**
 * Judges keys on worker threads, the first first: give the largest first. A thread that dies (out of memory, say)
 * leaves its key undecided, which its verdict says.
 */
export async function checkKeysOnThreads(
  events: Events,
  options: KeyWork['options'],
  keys: readonly { readonly key: Ref; readonly operations: number }[],
  deadline: number,
): Promise<KeyVerdict[]> {
  const work: KeyWork = { events: events.pack(), options };
  const waiting = [...keys];
  const verdicts: KeyVerdict[] = [];
  const thread = async (): Promise<void> => {
    let own: KeyThread | undefined;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      own ??= new KeyThread(work);
      const answer = await own.ask({ key: next.key, timeMaxMs: Math.max(0, deadline - performance.now()) });
      if ('verdict' in answer) verdicts.push(answer.verdict);
      else {
        verdicts.push({ ...next, valid: 'unknown', path: 'search', reason: `the thread failed: ${answer.error}` });
        await own.end();
        own = undefined;
      }
    }
    await own?.end();
  };
  const threads = Math.min(THREADS_MAX, availableParallelism(), keys.length);
  await Promise.all(Array.from({ length: threads }, thread));
  return verdicts;
}

/** A worker thread that is asked one thing at a time. */
class KeyThread {
  readonly #worker: Worker;
  #settle: (answer: KeyAnswer) => void = () => {};

  constructor(work: KeyWork) {
    this.#worker = new Worker(new URL('./key-worker.js', import.meta.url), { workerData: work });
    this.#worker.on('message', (answer: KeyAnswer) => this.#settle(answer));
    this.#worker.on('error', (error) =>
      this.#settle({ error: error instanceof Error ? error.message : String(error) }),
    );
    this.#worker.on('exit', (code) => this.#settle({ error: `it exited with ${code}` }));
  }

  ask(question: KeyQuestion): Promise<KeyAnswer> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#worker.postMessage(question);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

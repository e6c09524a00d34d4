import { memory } from './memory.ts';
import type { Target } from './target.ts';

/** Every target, by the name that `--target` takes. */
export const targets: ReadonlyMap<string, Target> = new Map([memory].map((target) => [target.name, target]));

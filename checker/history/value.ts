import { canonical } from './events.ts';
import type { Value } from './op.ts';

/** Whether two values are equal as JSON. */
export function sameValue(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  return canonical(a) === canonical(b);
}

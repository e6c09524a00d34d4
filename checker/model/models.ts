import { counter, fifoQueue, mutex, set, stack, unorderedQueue } from './collections.ts';
import { keyValue, multiRegister } from './kv.ts';
import { casRegister, readWriteRegister } from './register.ts';

/** The models that have a name. */
export const models = {
  register: readWriteRegister,
  'cas-register': casRegister,
  kv: keyValue,
  'multi-register': multiRegister,
  set,
  counter,
  'fifo-queue': fifoQueue,
  'unordered-queue': unorderedQueue,
  stack,
  mutex,
} as const;

export type ModelName = keyof typeof models;

/** All of their names, for messages and command lines. */
export const modelNames: readonly string[] = Object.keys(models);

export function isModelName(name: string): name is ModelName {
  return Object.hasOwn(models, name);
}

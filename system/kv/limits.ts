import type { ByteString } from './byte-string.ts';
import type { Operation } from './command.ts';

/**
 * What bounds the replicated state. Every node of a cluster must run with the same figures, because they decide
 * what a command does: a snapshot carries them, and one made with others is refused.
 */
export interface Limits {
  readonly keyBytesMax: number;
  /** Of a value that is put, of an element that is appended. */
  readonly valueBytesMax: number;
  /** Of all the elements of one list. */
  readonly listBytesMax: number;
  /** Compares plus operations of one transaction. */
  readonly txnOperationsMax: number;
  /** What the reads of one transaction may return together: the answer may have to be stored for its session. */
  readonly txnResultBytesMax: number;
  /** Open sessions. One more, and the session that was used longest ago (by log index) is gone. */
  readonly sessionsMax: number;
  /** Stored answers of all sessions; above it, sessions go in the same order. */
  readonly sessionBytesMax: number;
  /** Changes of keys kept for watches and for reads at an older revision. */
  readonly historyEventsMax: number;
  /** Keys and values of those changes. The newest revision is kept whatever its size. */
  readonly historyBytesMax: number;
}

export const DEFAULT_LIMITS: Limits = {
  keyBytesMax: 4096,
  valueBytesMax: 1 << 20,
  listBytesMax: 16 << 20,
  txnOperationsMax: 256,
  txnResultBytesMax: 4 << 20,
  sessionsMax: 16_384,
  sessionBytesMax: 64 << 20,
  historyEventsMax: 10_000,
  historyBytesMax: 32 << 20,
};

/** Whether keys, values and the number of steps are within the limits; what else there is, only the state can say. */
export function isWithin(operation: Operation, limits: Limits): boolean {
  const keyFits = (key: ByteString) => key.length <= limits.keyBytesMax;
  const valueFits = (value: Uint8Array) => value.length <= limits.valueBytesMax;
  switch (operation.type) {
    case 'put':
    case 'cas':
      return keyFits(operation.key) && valueFits(operation.value);
    case 'append':
      return keyFits(operation.key) && valueFits(operation.element);
    case 'txn': {
      const { compare, then, else: otherwise } = operation;
      if (compare.length + then.length + otherwise.length > limits.txnOperationsMax) return false;
      return [...then, ...otherwise].every((step) => {
        if (step.type === 'put') return keyFits(step.key) && valueFits(step.value);
        return step.type !== 'append' || (keyFits(step.key) && valueFits(step.element));
      });
    }
    default:
      return true;
  }
}

/** Of an operation id: what a length byte can say, with room. */
export const OPERATION_ID_BYTES_MAX = 128;

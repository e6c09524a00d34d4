import type { Entry } from './entry.ts';
import type { Message } from './message.ts';
import type { HardState, ReadState, Snapshot, SoftState } from './state.ts';

/**
 * All that a node has to do since the last Ready. What must be durable before what is the whole safety of it:
 *
 * **Asynchronous storage writes** (`asyncStorageWrites`): do nothing but route `messages`, in order, by `to`:
 * - to a peer: send at once. Whatever speaks of something that must be durable first is not among these.
 * - to APPEND_THREAD (StorageAppend, at most one a Ready): write the snapshot, the entries (truncating what
 *   lies at or after the first one) and the hard state (term, vote, commit; all 0: unchanged), and make them
 *   durable; only then deliver `responses`, in order: those to peers are sent, those to this node are given to
 *   `step`. Before a response to this node is stepped, `Storage` must return what was written. Appends must
 *   take effect in the order in which they were given; any number may be in flight. A crash may leave a part
 *   of a write, if in this order: snapshot, entries, hard state (which speaks of a commit index among the
 *   entries). With `mustSync` false and no snapshot nothing but a commit index changed, which may reach the
 *   disk at leisure; but responses may not overtake those of an earlier append.
 * - to APPLY_THREAD (StorageApply, at most one a Ready): apply the entries in order, then step `responses`.
 *   They are committed and locally durable. A membership entry is given to `applyConfChange` as it is applied.
 * The other fields only inform, but for `readStates`. There is no `advance`.
 *
 * **Synchronous mode**: first make `snapshot`, `entries` and `hardState` durable, and visible in `Storage`; then
 * send `messages`; apply `committedEntries`; then call `advance`. One Ready at a time.
 *
 * The arrays and what they hold are the caller's to keep and are never changed.
 */
export interface Ready {
  /** Undefined when unchanged. */
  readonly softState: SoftState | undefined;
  /** Undefined when unchanged. */
  readonly hardState: HardState | undefined;
  /** Reads that may be served once their index is applied. */
  readonly readStates: readonly ReadState[];
  /** To be appended to the stable log. */
  readonly entries: readonly Entry[];
  /** To replace the stable log and the state machine. */
  readonly snapshot: Snapshot | undefined;
  /** To be applied. */
  readonly committedEntries: readonly Entry[];
  readonly messages: readonly Message[];
  /** Term, vote or log changed: the write must be durable before anything that follows from it. */
  readonly mustSync: boolean;
}

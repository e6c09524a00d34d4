/**
 * How the leader sends to one follower. Probe: one message at a time, its log's end is not known. Replicate:
 * optimistically, many messages on their way. Snapshot: waits for a snapshot to arrive.
 */
export type ProgressState = 'probe' | 'replicate' | 'snapshot';

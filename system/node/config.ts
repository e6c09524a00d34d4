import type { Address, TlsIdentity } from '../ports.ts';

/** What a node is told at its start. Times in ticks follow the node's own monotonic clock. */
export interface NodeConfig {
  /** A positive integer, never used again in this cluster once removed. */
  readonly id: number;
  readonly clusterId: string;
  /** Advertised URLs of the first members in order of id (and, for one that joins, its own at its place). */
  readonly cluster: readonly string[];
  /** Joins a cluster that runs already: begins with an empty log and waits to be talked to. */
  readonly join: boolean;
  readonly listenPeer: Address;
  /** Missing: no HTTP listener; `handle` alone serves (the simulator). */
  readonly listenClient?: Address;
  readonly tickMs: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Bytes of entries in one append to a peer; a single larger entry goes alone. Missing: 1 MiB. */
  readonly appendBytesMax?: number;
  /** Entries applied since the last snapshot after which the next is made; more when the store holds many keys. */
  readonly snapshotEntries: number;
  /** Of one log segment; missing: the log's own. */
  readonly segmentBytes?: number;
  /** Changes kept for watches and older reads, the same on every node; missing: the store's own. */
  readonly historyEventsMax?: number;
  /** For peers: mutual. */
  readonly peerTls?: TlsIdentity;
  readonly clientTls?: TlsIdentity;
}

export const defaultTiming = { tickMs: 100, electionTicks: 10, heartbeatTicks: 1, snapshotEntries: 100_000 } as const;

/** @returns undefined when it is not a URL with a host and a port */
export function addressOf(url: string): Address | undefined {
  const match = /^https?:\/\/(\[[0-9a-f:]+\]|[^/:?#[\]]+):(\d{1,5})\/?$/i.exec(url);
  if (match === null) return undefined;
  const port = Number(match[2]);
  return port > 0 && port < 65_536 ? { host: match[1]!.replace(/^\[|\]$/g, ''), port } : undefined;
}

import type { Ports } from '../ports.ts';
import type { MemoryStorage } from '../raft/index.ts';
import type { OpenedStorage } from '../storage/index.ts';
import type { Audit } from './audit.ts';
import type { NodeConfig } from './config.ts';
import type { LogSink } from './core.ts';
import type { Replica } from './replica.ts';

/** What a node is put together from: its state as it was restored, and whom to tell. */
export interface NodeParts {
  readonly ports: Ports;
  readonly config: NodeConfig;
  readonly incarnation: number;
  readonly storage: OpenedStorage;
  readonly memory: MemoryStorage;
  readonly replica: Replica;
  readonly audit: Audit | undefined;
  readonly log: LogSink;
  /** The node cannot go on: its disk failed. */
  readonly fatal: (error: unknown) => void;
  /** This node was removed from the cluster, and has applied it. */
  readonly removed: () => void;
}

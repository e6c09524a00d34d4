import type { Random } from '../ports.ts';
import { type MemoryStorage, RawNode } from '../raft/index.ts';
import type { NodeConfig } from './config.ts';

type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';
/** Where the node tells its operator what happens; facts are JSON. */
export type LogSink = (level: LogLevel, event: string, facts: Readonly<Record<string, unknown>>) => void;

/** Bytes of entries in one append, unless the configuration says otherwise. */
const appendBytesMax = 1024 * 1024;
/** Bytes of committed entries applied in one turn: other inputs are heard in between. */
const applyBytesMax = 1024 * 1024;

/** The consensus core as a node of the store runs it. @param applied what the restored state machine holds */
export function createCore(
  config: NodeConfig,
  random: Random,
  storage: MemoryStorage,
  applied: number,
  log: LogSink,
): RawNode {
  return new RawNode({
    id: config.id,
    electionTicks: config.electionTicks,
    heartbeatTicks: config.heartbeatTicks,
    storage,
    random: (bound) => Math.floor((random.uint32() / 2 ** 32) * bound),
    applied,
    asyncStorageWrites: true,
    maxSizePerMsgBytes: config.appendBytesMax ?? appendBytesMax,
    maxCommittedSizePerReadyBytes: applyBytesMax,
    maxUncommittedEntriesBytes: 64 * 1024 * 1024,
    maxInflightMsgs: 256,
    maxInflightBytes: 16 * 1024 * 1024,
    checkQuorum: true,
    preVote: true,
    stepDownOnRemoval: true,
    deferCommitNotices: true,
    confirmReadsByFew: true,
    logger: {
      debug: () => {},
      info: (line) => log('info', 'raft', { message: line() }),
      warning: (line) => log('warn', 'raft', { message: line() }),
      error: (line) => log('error', 'raft', { message: line() }),
    },
  });
}

import type { Entry } from './entry.ts';
import { NONE, type Snapshot } from './state.ts';

/** The numbers go over the wire and never change. */
export const MessageType = {
  Prop: 1,
  App: 2,
  AppResp: 3,
  Vote: 4,
  VoteResp: 5,
  Snap: 6,
  Heartbeat: 7,
  HeartbeatResp: 8,
  TransferLeader: 9,
  TimeoutNow: 10,
  ReadIndex: 11,
  ReadIndexResp: 12,
  PreVote: 13,
  PreVoteResp: 14,
  StorageAppend: 15,
  StorageAppendResp: 16,
  StorageApply: 17,
  StorageApplyResp: 18,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

/**
 * Pseudo-nodes of a node that writes asynchronously: its log writer and its state machine. Messages to and
 * from them never go over the network.
 */
export const APPEND_THREAD = Number.MAX_SAFE_INTEGER;
export const APPLY_THREAD = Number.MAX_SAFE_INTEGER - 1;

/** `context` of a vote request: the leader itself asked for this election, so leases do not stand against it. */
export const CAMPAIGN_TRANSFER = 1;

/** `index` of a ReadIndex request: the leader's lease will do, when it has one. */
export const READ_BY_LEASE = 1;

/**
 * One shape for all messages, so that they stay cheap to make and to read. Zero, empty and undefined mean
 * "says nothing". What each type uses beside type, from, to and term:
 *
 * | type              | fields                                                                                   |
 * | ----------------- | ---------------------------------------------------------------------------------------- |
 * | Prop              | entries (term and index not yet set)                                                     |
 * | App               | index, logTerm of the entry before `entries`; commit                                     |
 * | AppResp           | index: matched up to here. With reject: index was refused, rejectHint and logTerm say    |
 * |                   | the last index, and its term, at which the logs may still agree                          |
 * | Vote, PreVote     | index, logTerm of the candidate's last entry; context: CAMPAIGN_TRANSFER or 0            |
 * | …VoteResp         | reject                                                                                   |
 * | all four of these | committed                                                                                |
 * | Snap              | snapshot                                                                                 |
 * | Heartbeat(Resp)   | commit; context: the read round that the answer confirms, or 0                           |
 * | TransferLeader    | from: the node that shall lead                                                           |
 * | ReadIndex         | context: the asker's request number; index: READ_BY_LEASE or 0                           |
 * | ReadIndexResp     | context: the asker's request number; index: the answer                                   |
 * | StorageAppend     | entries, snapshot, and the hard state in term, vote, commit (all 0: unchanged);          |
 * |                   | responses                                                                                |
 * | StorageAppendResp | index, logTerm: the log's last entry at that time; snapshot                              |
 * | StorageApply      | entries; responses                                                                       |
 * | StorageApplyResp  | entries                                                                                  |
 */
export interface Message {
  readonly type: MessageType;
  readonly to: number;
  readonly from: number;
  readonly term: number;
  readonly logTerm: number;
  readonly index: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
  readonly vote: number;
  readonly snapshot: Snapshot | undefined;
  readonly reject: boolean;
  readonly rejectHint: number;
  readonly context: number;
  /** An entry that the sender knows to be committed. */
  readonly committed: { readonly index: number; readonly term: number } | undefined;
  /** To be delivered, in order, each to its `to`, once the write that this message asks for is done. */
  readonly responses: readonly Message[];
}

const NO_ENTRIES: readonly Entry[] = [];
const NO_RESPONSES: readonly Message[] = [];

/** A message in the making: the core fills it in before anybody else sees it. */
export type MutableMessage = { -readonly [Field in keyof Message]: Message[Field] };

/** A message that says nothing yet. All fields are set, in one order, so that the engine sees one shape. */
export function newMessage(type: MessageType, to: number): MutableMessage {
  return {
    type,
    to,
    from: NONE,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: NO_ENTRIES,
    commit: 0,
    vote: NONE,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    context: 0,
    committed: undefined,
    responses: NO_RESPONSES,
  };
}

/** Never comes from another node. */
export function isLocalMessage(type: MessageType): boolean {
  switch (type) {
    case MessageType.StorageAppend:
    case MessageType.StorageAppendResp:
    case MessageType.StorageApply:
    case MessageType.StorageApplyResp:
      return true;
    default:
      return false;
  }
}

/** Answers a request of ours; from a node outside the configuration it is refused. */
export function isResponse(type: MessageType): boolean {
  switch (type) {
    case MessageType.AppResp:
    case MessageType.VoteResp:
    case MessageType.HeartbeatResp:
    case MessageType.ReadIndexResp:
    case MessageType.PreVoteResp:
    case MessageType.StorageAppendResp:
    case MessageType.StorageApplyResp:
      return true;
    default:
      return false;
  }
}

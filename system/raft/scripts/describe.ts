import { ConfChangeType } from '../confchange/change.ts';
import { decodeConfChange } from '../confchange/codec.ts';
import { type Entry, EntryType } from '../entry.ts';
import { APPEND_THREAD, APPLY_THREAD, type Message, MessageType } from '../message.ts';
import type { Ready } from '../ready.ts';
import { type HardState, NONE, type Role, type Snapshot, type SoftState } from '../state.ts';
import type { ProgressStatus } from '../status.ts';
import type { ProgressState } from '../tracker/progress-state.ts';

// What the scripts of etcd-io/raft call things.
const ROLES: Readonly<Record<Role, string>> = {
  follower: 'StateFollower',
  'pre-candidate': 'StatePreCandidate',
  candidate: 'StateCandidate',
  leader: 'StateLeader',
};
const PROGRESS_STATES: Readonly<Record<ProgressState, string>> = {
  probe: 'StateProbe',
  replicate: 'StateReplicate',
  snapshot: 'StateSnapshot',
};
const ENTRY_TYPES: Readonly<Record<EntryType, string>> = {
  [EntryType.Normal]: 'EntryNormal',
  [EntryType.ConfChange]: 'EntryConfChange',
  [EntryType.ConfChangeV2]: 'EntryConfChangeV2',
};
const CHANGE_LETTERS: Readonly<Record<ConfChangeType, string>> = {
  [ConfChangeType.AddNode]: 'v',
  [ConfChangeType.AddLearnerNode]: 'l',
  [ConfChangeType.RemoveNode]: 'r',
  [ConfChangeType.UpdateNode]: 'u',
};

/** `MsgApp` and the like, by number. */
const MESSAGE_TYPE_NAMES = new Map<number, string>(
  Object.entries(MessageType).map(([name, type]) => [type, `Msg${name}`]),
);

/** The number of `MsgApp` and the like; undefined when there is no such type. */
export function messageTypeNamed(name: string): MessageType | undefined {
  return Object.entries(MessageType).find(([known]) => `Msg${known}` === name)?.[1];
}

export function describeRole(role: Role): string {
  return ROLES[role];
}

function describeTarget(id: number): string {
  if (id === NONE) return 'None';
  if (id === APPEND_THREAD) return 'AppendThread';
  return id === APPLY_THREAD ? 'ApplyThread' : id.toString(16);
}

function describeEntry(entry: Entry): string {
  const content = entry.type === EntryType.Normal ? quote(entry.data) : describeConfChange(entry);
  return `${entry.term}/${entry.index} ${ENTRY_TYPES[entry.type]}${content === '' ? '' : ` ${content}`}`;
}

function describeConfChange(entry: Entry): string {
  const change = decodeConfChange(entry);
  const changes = change.version === 1 ? [change] : change.changes;
  return changes.map(({ type, nodeId }) => `${CHANGE_LETTERS[type]}${nodeId}`).join(' ');
}

/** Scripts hold plain text only. */
function quote(data: Uint8Array): string {
  return JSON.stringify(String.fromCharCode(...data));
}

export function describeEntries(entries: readonly Entry[]): string {
  return entries.map((entry) => `${describeEntry(entry)}\n`).join('');
}

export function describeMessage(message: Message, indent = ''): string {
  const { type, to, from, term, logTerm, index, entries, snapshot, responses } = message;
  let text = `${indent}${describeTarget(from)}->${describeTarget(to)} ${MESSAGE_TYPE_NAMES.get(type)}`;
  text += ` Term:${term} Log:${logTerm}/${index}`;
  if (message.reject) text += ` Rejected (Hint: ${message.rejectHint})`;
  if (message.commit !== 0) text += ` Commit:${message.commit}`;
  if (message.vote !== 0) text += ` Vote:${message.vote}`;
  if (entries.length === 1) text += ` Entries:[${describeEntry(entries[0]!)}]`;
  else if (entries.length > 1) {
    text += ` Entries:[${entries.map((entry) => `\n${indent}  ${describeEntry(entry)}`).join('')}\n${indent}]`;
  }
  if (snapshot !== undefined) text += `\n${indent}  Snapshot: ${describeSnapshot(snapshot)}`;
  if (responses.length > 0) {
    text += ` Responses:[${responses.map((response) => `\n${describeMessage(response, `${indent}  `)}`).join('')}\n${indent}]`;
  }
  return text;
}

function describeSnapshot({ metadata: { index, term, confState } }: Snapshot): string {
  const list = (ids: readonly number[]) => `[${ids.join(' ')}]`;
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = confState;
  return (
    `Index:${index} Term:${term} ConfState:Voters:${list(voters)} VotersOutgoing:${list(votersOutgoing)} ` +
    `Learners:${list(learners)} LearnersNext:${list(learnersNext)} AutoLeave:${autoLeave}`
  );
}

function describeSoftState({ leader, role }: SoftState): string {
  return `Lead:${leader} State:${describeRole(role)}`;
}

function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === NONE ? '' : ` Vote:${vote}`} Commit:${commit}`;
}

export function describeReady(ready: Ready): string {
  let text = '';
  if (ready.softState !== undefined) text += `${describeSoftState(ready.softState)}\n`;
  if (ready.hardState !== undefined) text += `HardState ${describeHardState(ready.hardState)}\n`;
  if (ready.readStates.length > 0) {
    const states = ready.readStates.map(({ index, context }) => `{${index} [${context.join(' ')}]}`);
    text += `ReadStates [${states.join(' ')}]\n`;
  }
  if (ready.entries.length > 0) text += `Entries:\n${describeEntries(ready.entries)}`;
  if (ready.snapshot !== undefined) text += `Snapshot ${describeSnapshot(ready.snapshot)}\n`;
  if (ready.committedEntries.length > 0) text += `CommittedEntries:\n${describeEntries(ready.committedEntries)}`;
  if (ready.messages.length > 0) {
    text += `Messages:\n${ready.messages.map((message) => `${describeMessage(message)}\n`).join('')}`;
  }
  return text === '' ? '<empty Ready>\n' : `Ready MustSync=${ready.mustSync}:\n${text}`;
}

export function describeProgress(progress: ProgressStatus): string {
  let text = `${progress.id}: ${PROGRESS_STATES[progress.state]} match=${progress.match} next=${progress.next}`;
  if (progress.learner) text += ' learner';
  if (progress.paused) text += ' paused';
  if (progress.pendingSnapshot > 0) text += ` pendingSnap=${progress.pendingSnapshot}`;
  if (!progress.recentActive) text += ' inactive';
  if (progress.inflights > 0) text += ` inflight=${progress.inflights}${progress.inflightsFull ? '[full]' : ''}`;
  return `${text}\n`;
}

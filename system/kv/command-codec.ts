import { ByteReader, ByteWriter, MalformedBytes } from './bytes.ts';
import type { Command, Compare, Operation, Relation, SessionUse, TxnOperation } from './command.ts';
import { OPERATION_ID_BYTES_MAX } from './limits.ts';

// One byte says what the command is and which optional parts it has; then those parts; then its own fields.
// The numbers are those of the log format and never change.
const OPERATIONS = ['put', 'delete', 'cas', 'append', 'txn', 'open-session', 'close-session'] as const;
const COMPARES = ['value', 'revision', 'create-revision', 'version', 'exists'] as const;
const RELATIONS: readonly Relation[] = ['=', '!=', '<', '>'];
const TXN_OPERATIONS = ['get', 'range', 'put', 'delete', 'append'] as const;

const TYPE_MASK = 0x0f;
const HAS_OPERATION_ID = 0x10;
const HAS_SESSION = 0x20;
const HAS_CONDITION = 0x40;

/** Commands leave the log, of which they become entries, in the order in which they came. */
const commands = new ByteWriter(64 * 1024);

/**
 * @param roomBytes left in front, for what the caller has to say of the command
 * @throws RangeError when the operation id is too long or a text is no byte string. Limits are judged when applied.
 */
export function encodeCommand(command: Command, roomBytes = 0): Uint8Array {
  const to = commands;
  to.clear();
  to.skip(roomBytes);
  to.u8(
    OPERATIONS.indexOf(command.type) |
      (command.operationId === undefined ? 0 : HAS_OPERATION_ID) |
      (command.session === undefined ? 0 : HAS_SESSION) |
      (hasCondition(command) ? HAS_CONDITION : 0),
  );
  if (command.operationId !== undefined) {
    if (command.operationId.length > OPERATION_ID_BYTES_MAX) {
      throw new RangeError(`operation id of ${command.operationId.length} bytes, at most ${OPERATION_ID_BYTES_MAX}`);
    }
    to.text(command.operationId);
  }
  if (command.session !== undefined) {
    to.uvarint(command.session.session);
    to.uvarint(command.session.sequence);
  }
  writeOperation(to, command);
  return to.cut();
}

function hasCondition(operation: Operation): boolean {
  switch (operation.type) {
    case 'put':
    case 'delete':
      return operation.ifRevision !== undefined;
    case 'cas':
      return operation.expected !== null;
    default:
      return false;
  }
}

function writeOperation(to: ByteWriter, operation: Operation): void {
  switch (operation.type) {
    case 'put':
      if (operation.ifRevision !== undefined) to.uvarint(operation.ifRevision);
      to.text(operation.key);
      to.bytes(operation.value);
      return;
    case 'delete':
      if (operation.ifRevision !== undefined) to.uvarint(operation.ifRevision);
      to.text(operation.key);
      return;
    case 'cas':
      if (operation.expected !== null) to.bytes(operation.expected);
      to.text(operation.key);
      to.bytes(operation.value);
      return;
    case 'append':
      to.text(operation.key);
      to.bytes(operation.element);
      return;
    case 'txn':
      to.uvarint(operation.compare.length);
      for (const compare of operation.compare) writeCompare(to, compare);
      for (const branch of [operation.then, operation.else]) {
        to.uvarint(branch.length);
        for (const step of branch) writeTxnOperation(to, step);
      }
      return;
    case 'open-session':
      return;
    case 'close-session':
      to.uvarint(operation.id);
      return;
  }
}

function writeCompare(to: ByteWriter, compare: Compare): void {
  to.u8(COMPARES.indexOf(compare.type));
  to.text(compare.key);
  if (compare.type === 'exists') {
    to.u8(compare.exists ? 1 : 0);
    return;
  }
  to.u8(RELATIONS.indexOf(compare.relation));
  if (compare.type === 'value') to.bytes(compare.value);
  else to.uvarint(compare.number);
}

function writeTxnOperation(to: ByteWriter, step: TxnOperation): void {
  to.u8(TXN_OPERATIONS.indexOf(step.type));
  switch (step.type) {
    case 'get':
    case 'delete':
      to.text(step.key);
      return;
    case 'range':
      to.text(step.from);
      to.u8(step.to === undefined ? 0 : 1);
      if (step.to !== undefined) to.text(step.to);
      to.uvarint(step.limit);
      return;
    case 'put':
      to.text(step.key);
      to.bytes(step.value);
      return;
    case 'append':
      to.text(step.key);
      to.bytes(step.element);
      return;
  }
}

/** Undefined when the bytes from `at` on are no command. Values are views into the bytes. */
export function decodeCommand(bytes: Uint8Array, at = 0): Command | undefined {
  try {
    const from = new ByteReader(bytes, at);
    const head = from.u8();
    if (head > (TYPE_MASK | HAS_OPERATION_ID | HAS_SESSION | HAS_CONDITION)) return undefined;
    let operationId: string | undefined;
    if (head & HAS_OPERATION_ID) {
      operationId = from.text();
      if (operationId.length > OPERATION_ID_BYTES_MAX) return undefined;
    }
    const session: SessionUse | undefined =
      head & HAS_SESSION ? { session: from.uvarint(), sequence: from.uvarint() } : undefined;
    // Nobody else has it yet: what else there is is added to it, a copy would cost more than all the reading.
    const command: Operation & { operationId?: string; session?: SessionUse } = readOperation(from, head);
    if (!from.done) return undefined;
    if (operationId !== undefined) command.operationId = operationId;
    if (session !== undefined) command.session = session;
    return command;
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined;
    throw error;
  }
}

function readOperation(from: ByteReader, head: number): Operation {
  const type = OPERATIONS[head & TYPE_MASK];
  const condition = (head & HAS_CONDITION) !== 0;
  if (condition && type !== 'put' && type !== 'delete' && type !== 'cas') throw new MalformedBytes('a condition');
  switch (type) {
    case 'put':
      if (condition) return { type, ifRevision: from.uvarint(), key: from.text(), value: from.bytes() };
      return { type, key: from.text(), value: from.bytes() };
    case 'delete':
      if (condition) return { type, ifRevision: from.uvarint(), key: from.text() };
      return { type, key: from.text() };
    case 'cas':
      return { type, expected: condition ? from.bytes() : null, key: from.text(), value: from.bytes() };
    case 'append':
      return { type, key: from.text(), element: from.bytes() };
    case 'txn':
      return {
        type,
        compare: readMany(from, readCompare),
        // biome-ignore lint/suspicious/noThenProperty: the name that transactions give it (etcd); never awaited
        then: readMany(from, readTxnOperation),
        else: readMany(from, readTxnOperation),
      };
    case 'open-session':
      return { type };
    case 'close-session':
      return { type, id: from.uvarint() };
    default:
      throw new MalformedBytes('an unknown command');
  }
}

function readMany<Part>(from: ByteReader, read: (from: ByteReader) => Part): Part[] {
  const parts: Part[] = [];
  // Each part takes at least a byte, so garbage cannot ask for more of them than there are bytes.
  for (let left = from.uvarint(); left > 0; left--) parts.push(read(from));
  return parts;
}

function readCompare(from: ByteReader): Compare {
  const type = COMPARES[from.u8()];
  const key = from.text();
  if (type === 'exists') {
    const exists = from.u8();
    if (exists > 1) throw new MalformedBytes('a truth value');
    return { type, key, exists: exists === 1 };
  }
  const relation = RELATIONS[from.u8()];
  if (relation === undefined || type === undefined) throw new MalformedBytes('an unknown compare');
  return type === 'value'
    ? { type, key, relation, value: from.bytes() }
    : { type, key, relation, number: from.uvarint() };
}

function readTxnOperation(from: ByteReader): TxnOperation {
  const type = TXN_OPERATIONS[from.u8()];
  switch (type) {
    case 'get':
    case 'delete':
      return { type, key: from.text() };
    case 'range': {
      const start = from.text();
      const bounded = from.u8();
      if (bounded > 1) throw new MalformedBytes('a truth value');
      return bounded === 1
        ? { type, from: start, to: from.text(), limit: from.uvarint() }
        : { type, from: start, limit: from.uvarint() };
    }
    case 'put':
      return { type, key: from.text(), value: from.bytes() };
    case 'append':
      return { type, key: from.text(), element: from.bytes() };
    default:
      throw new MalformedBytes('an unknown operation');
  }
}

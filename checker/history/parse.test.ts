import fc from 'fast-check';
import t from 'tap';
import { HistoryError } from './history-error.ts';
import { encodeOp } from './ndjson.ts';
import type { Op, Value } from './op.ts';
import { parseHistory } from './parse.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const opsOf = (text: string): Op[] => parseHistory(bytes(text)).events.ops();
const failure = (text: string | Uint8Array): HistoryError => {
  try {
    parseHistory(typeof text === 'string' ? bytes(text) : text);
  } catch (error) {
    if (error instanceof HistoryError) return error;
    throw error;
  }
  throw new Error('it was accepted');
};
/** Lines after which the one under test is far from the end, so that it takes the fast way. */
const tail = '\n'.concat(`${' '.repeat(70)}\n`.repeat(2));
const read = (process: number, type: string): string =>
  `{"process":${process},"type":"${type}","f":"read","value":null}`;

const anyText = fc.oneof(fc.string({ maxLength: 8 }), fc.string({ unit: 'binary', maxLength: 8 }), fc.constant('é"\\'));
const anyScalar: fc.Arbitrary<Value> = fc.oneof(
  fc.integer(),
  fc.nat(20),
  fc.constantFrom(2 ** 30, 2 ** 30 - 1, 999_999_999, 1_000_000_000, -1, 1.5, 1e21),
  anyText,
  fc.boolean(),
  fc.constant(null),
);
const anyValue: fc.Arbitrary<Value> = fc.oneof(
  anyScalar,
  fc.array(anyScalar, { maxLength: 4 }),
  fc.tuple(anyScalar, fc.array(anyScalar, { maxLength: 2 })),
  fc.dictionary(fc.string({ maxLength: 3 }), anyScalar, { maxKeys: 3, noNullPrototype: true }),
);
const anyOp: fc.Arbitrary<Omit<Op, 'index'>> = fc.record(
  {
    time: fc.maxSafeNat(),
    process: fc.oneof(fc.nat(30), fc.constant('nemesis' as const)),
    type: fc.constantFrom('invoke', 'ok', 'fail', 'info'),
    f: fc.constantFrom('read', 'write', 'cas', 'txn', 'ünï'),
    key: anyScalar,
    value: anyValue,
    error: fc.constantFrom('timeout', 'cas-mismatch', 'a "quoted" one'),
    op: anyText,
    node: anyText,
  },
  { requiredKeys: ['time', 'process', 'type', 'f'] },
);

t.test('what is written is read again, columns and whole operations', async (t) => {
  fc.assert(
    fc.property(fc.array(anyOp, { maxLength: 12 }), (some) => {
      const ops = some.map((op, index) => ({ index, ...op }));
      const text = ops.map(encodeOp).join('');
      const { events } = parseHistory(bytes(text), { independent: false });
      const expected = text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Op);
      t.strictSame(events.ops(), expected);
      for (const [at, op] of expected.entries()) {
        t.strictSame(events.valueAt(at), op.value ?? null);
        t.equal(events.typeAt(at), op.type);
        t.equal(events.names[events.f[at]!], op.f);
      }
    }),
    { numRuns: 300 },
  );
});

t.test('a line with one byte changed is read as JSON.parse reads it, or refused with its number', async (t) => {
  const line = encodeOp({
    index: 3,
    time: 17,
    process: 4,
    type: 'ok',
    f: 'cas',
    key: 'k1',
    value: [12, 'x'],
    error: 'e',
    op: 'o',
    node: 'n',
  });
  let refused = 0;
  for (let at = 0; at < line.length - 1; at++) {
    for (const byte of ['"', '{', '}', ',', ':', '0', '7', 'x', ' ', '\\', '\n', '-', ']', '\u0001', '']) {
      const changed = `${read(0, 'invoke')}\n${line.slice(0, at)}${byte}${line.slice(at + 1, -1)}${tail}`;
      let expected: unknown[] | undefined;
      try {
        expected = changed
          .split('\n')
          .filter((one) => one.trim() !== '')
          .map((one) => JSON.parse(one) as unknown);
      } catch {
        expected = undefined;
      }
      try {
        const ops = opsOf(changed);
        if (expected === undefined) t.fail(`accepted, though JSON.parse refuses it: ${changed}`);
        for (const [i, op] of ops.entries()) {
          t.strictSame(op.value, (expected?.[i] as Op | undefined)?.value);
        }
      } catch (error) {
        if (!(error instanceof HistoryError)) throw error;
        t.match(error.message, /^line [23]: /);
        refused++;
      }
    }
  }
  t.ok(refused > 300, `${refused} were refused`);
});

t.test('a cut last line is a warning, a broken one elsewhere is not', async (t) => {
  const text = `${read(0, 'invoke')}\n${read(0, 'ok')}\n`;
  for (let length = 1; length < read(0, 'ok').length; length++) {
    const { events, warnings } = parseHistory(bytes(text + read(1, 'invoke').slice(0, length)));
    t.equal(events.length, 2);
    t.equal(warnings.length, 1);
  }
  t.equal(parseHistory(bytes(text + read(1, 'invoke'))).events.length, 3, 'a whole last line only lacks its newline');
  t.equal(failure(`${text}{"process":1,"ty\n${text}`).line, 3);
  t.equal(failure(`{"process":1,"ty\n${text}`).line, 1);
});

t.test('garbage is refused in one short line', async (t) => {
  const abuse = [
    new Uint8Array([0, 1, 2, 3]),
    new Uint8Array([0xff, 0xfe, 0x7b, 0x22]),
    'hello, world\n',
    '[1,2,3]',
    '[{"a":1}]',
    '{"a":1}\n',
    '[{"process":0,"type":"invoke","f":"read"}',
    '[{:process 0, :type :invoke, :f :read}',
    '({:process 0, :type :invoke, :f :read]',
    '[{:process 0, :type "x" :f :read}]',
    '{:process 0, :type',
    '['.repeat(1_000_000),
    '{"a":'.repeat(1_000_000),
    '{:a '.repeat(1_000_000),
    `{"process":0,"type":"invoke","f":"read","value":${'['.repeat(1_000_000)}`,
    `${read(0, 'invoke')}\n{"process":0,"type":"ok","f":"read","value":${'['.repeat(100_000)}\n${read(0, 'ok')}\n`,
    '"'.repeat(100_000),
    '#'.repeat(100_000),
    '{"process":-1,"type":"invoke","f":"read"}\n',
    '{"process":0,"type":"maybe","f":"read"}\n',
  ];
  for (const one of abuse) {
    const error = failure(one);
    t.ok(error.message.length < 200 && !error.message.includes('\n'), error.message);
  }
});

t.test('random bytes and random text never get past the parsers but as a history or a HistoryError', async () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '(',
    ')',
    ':process ',
    ':type ',
    ':invoke',
    ' 0 ',
    '"',
    '\\',
    '\n',
    ';',
    '#_',
    '#{',
    '{"process":0,',
    '"type":"ok"',
    ',',
    '\t:ok\t:read\t',
    'nil',
    '^',
    "'",
    '1.5e',
    '\ud800',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(pieces, { maxLength: 30 }).map((some) => bytes(some.join(''))),
        fc.uint8Array(),
      ),
      (some) => {
        try {
          parseHistory(some).events.ops();
        } catch (error) {
          if (!(error instanceof HistoryError)) throw error;
        }
      },
    ),
    { numRuns: 3000 },
  );
});

t.test('the formats of others, recognised by content', async (t) => {
  const expected = [
    { process: 0, type: 'invoke', f: 'cas', value: [1, 2] },
    { process: 0, type: 'fail', f: 'cas', value: [1, 2] },
  ];
  const maps = '{:process 0, :type :invoke, :f :cas, :value [1 2]}\n{:process 0 :type :fail :f :cas :value [1 2]}';
  const texts = {
    'edn lines': maps,
    'edn vector': `; a comment\n[${maps}]`,
    'edn list': `(${maps})\n`,
    'edn records': maps.replaceAll('{', '#jepsen.history.Op{'),
    json: JSON.stringify(expected),
    ndjson: expected.map((op) => JSON.stringify(op)).join('\n'),
    log: 'INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\nsomething else\nINFO jepsen.util - 0\t:fail\t:cas\t[1 2]\n',
  };
  for (const [name, text] of Object.entries(texts)) {
    t.match(
      opsOf(text).map(({ process, type, f, value }) => ({ process, type, f, value })),
      expected,
      name,
    );
  }
});

t.test('whatever EDN a value may be', async (t) => {
  const values: readonly (readonly [edn: string, value: Value])[] = [
    ['#{:n1 "n2"}', ['n1', 'n2']],
    ['{:a/b 1, "c" (2 3)}', { 'a/b': 1, c: [2, 3] }],
    ['#:bank{:from 1 :other/to 2}', { 'bank/from': 1, 'other/to': 2 }],
    ['[3/4 10N 1.5e3 2.5M -7 +7]', ['3/4', 10, 1500, 2.5, -7, 7]],
    ['[##Inf ##-Inf ##NaN]', ['##Inf', '##-Inf', '##NaN']],
    ['[\\a \\newline \\formfeed \\u0041 \\" \\[ \\;]', ['a', '\n', '\f', 'A', '"', '[', ';']],
    ['#inst "2020-01-01T00:00:00Z"', '2020-01-01T00:00:00Z'],
    ['^{:doc "x"} [1 #_ 2 #_ #_ 3 4 5] ; the rest', [1, 5]],
    ['true', true],
    ['nil', null],
  ];
  for (const [edn, value] of values) {
    const text = `; one line\n{:process 0, :type :invoke, :f :write, :value ${edn}\n}\n`;
    const { events } = parseHistory(new TextEncoder().encode(text), { independent: false });
    t.strictSame(events.op(0).value, value, edn);
  }
});

t.test('what a log says of processes that are no clients, and other lines', async (t) => {
  const line = (rest: string): string => `INFO  jepsen.util - ${rest}\n`;
  const ops = opsOf(
    line('0\t:invoke\t:read\tnil') +
      line(':nemesis-2\t:info\t:start\t{:n1 #{:n2}}') +
      line('all is :ok now') +
      line('0\t:info\t:read\t:timed-out'),
  );
  t.strictSame(
    ops.map(({ process }) => process),
    [0, 'nemesis', 0],
  );
  t.equal(ops[2]?.error, 'timed-out');
  const broken = line('0\t:invoke\t:read\tnil') + line('0\t:ok') + line('1\t:invoke\t:read\tnil');
  t.match(failure(broken).message, /^line 2: not an operation/);
});

t.test('a list in JSON names the operation that is none', async (t) => {
  t.match(
    failure('[{"process":0,"type":"invoke","f":"read"},{"process":0,"type":":ok"}]').message,
    /^operation 1: "type"/,
  );
});

t.test('tuples of independent keys', async (t) => {
  const edn =
    '{:process 0 :type :invoke :f :add :value [7 1]}\n{:process 0 :type :ok :f :add :value [7 1]}\n{:process 1 :type :invoke :f :read :value [7 nil]}\n{:process 1 :type :ok :f :read :value [7 [1 2]]}\n';
  t.strictSame(
    opsOf(edn).map(({ key, value }) => [key, value]),
    [
      [7, 1],
      [7, 1],
      [7, null],
      [7, [1, 2]],
    ],
  );
  const cas = '{:process 0 :type :invoke :f :cas :value [1 2]}\n{:process 0 :type :ok :f :cas :value [1 2]}\n';
  t.equal(opsOf(cas)[0]?.key, undefined, 'a cas alone is no tuple');
  const whole = edn.replace('[7 [1 2]]', '[[7 1] [7 2] [7 3]]');
  t.equal(opsOf(whole)[0]?.key, undefined, 'a read that is answered with something else: the elements are pairs');
});

t.test('nesting without end is refused in every place', async (t) => {
  const good = `${'{"index":0,"time":0,"process":0,"type":"info","f":"read","value":null}\n'.repeat(2_000)}`;
  const deep = '['.repeat(200_000);
  for (const text of [
    '#_'.repeat(200_000),
    `[${'#_'.repeat(200_000)}`,
    `{:process 0, :type :info, :f :read, :value nil}\n${'#_'.repeat(200_000)}\n`,
    `${good}{"index":0,"time":0,"process":0,"type":"info","f":"read","value":${deep}}\n${good}`,
  ]) {
    t.match(failure(text).message, /brackets nest deeper/);
  }
});

t.test('integers that numbers do not tell apart are different values', async (t) => {
  const [one, other] = ['9007199254740993', '9007199254740992'];
  const line = (value: string): string =>
    `{"process":0,"time":1700000000000000001,"type":"ok","f":"txn","value":${value}}`;
  for (const text of [`${line(`["${one}",${one},-1,${other}]`)}\n`, `[${line(`["${one}",${one},-1,${other}]`)}]`]) {
    const op = parseHistory(new TextEncoder().encode(text)).events.op(0);
    t.strictSame(op.value, [one, one, -1, other]);
    t.equal(op.time, 1_700_000_000_000_000_000);
  }
  const lines = `${line(`[["r","x",[${one},${other}]]]`)}${'\n'.repeat(100)}`;
  t.strictSame(parseHistory(new TextEncoder().encode(lines)).events.op(0).value, [['r', 'x', [one, other]]]);
});

import t from 'tap';
import type { History, Op } from '../history/op.ts';
import { AuditUnreadable, type NodeAudit, parseAudit } from './audit-record.ts';
import { checkCommittedLog } from './committed-log.ts';

/** Writes audit files by hand: `start 0`, `leader 2`, `5/2 op hash [effect]`, `receive 9/4`, `snapshot 9/4 hash`. */
function audit(node: string, ...lines: string[]): NodeAudit {
  const text = lines.map((line) => {
    const [head = '', second = '', third = '', fourth = 'applied'] = line.split(' ');
    if (head === 'start') return { type: 'start', node, incarnation: 'a', applied: Number(second) };
    if (head === 'leader') return { type: 'leader', node, term: Number(second) };
    const [index, term] = (/^\d/.test(head) ? head : second).split('/').map(Number);
    if (head === 'receive') return { type: 'receive', index, term };
    if (head === 'snapshot') return { type: 'snapshot', index, term, hash: third };
    const op = second === '-' ? {} : { op: second };
    return { type: 'apply', index, term, ...op, effect: second === '-' ? 'none' : fourth, hash: third };
  });
  return parseAudit(node, text.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

function history(...lines: string[]): History {
  return lines.map((line, index) => {
    const [process, type, f, op] = line.split(' ');
    const base = { index, time: index, process: Number(process), type: type as Op['type'], f: f ?? 'write', value: 1 };
    return op === undefined ? base : { ...base, op, node: '1' };
  });
}

const acknowledged = history('0 invoke write a', '0 ok write', '1 invoke write b', '1 ok write');
const good = (node: string) => audit(node, 'start 0', '1/1 - h1', '2/1 a h2', '3/1 b h3');
const leader = audit('1', 'start 0', 'leader 1', '1/1 - h1', '2/1 a h2', '3/1 b h3');

const kinds = (audits: NodeAudit[], of: History = acknowledged) => {
  const sections = checkCommittedLog(audits, of);
  return Object.values(sections).flatMap((section) => section.anomalies.map((a: { kind: string }) => a.kind));
};

t.test('three nodes that agree and lost nothing are valid', async (t) => {
  const { log, hash, election } = checkCommittedLog([leader, good('2'), good('3')], acknowledged);
  t.match([log, hash, election], [{ valid: true }, { valid: true }, { valid: true }]);
  t.match(log.counts, { nodes: 3, entries: 3, acknowledged: 2 });
});

t.test('log: what clients were told', async (t) => {
  t.test('an acknowledged write that no node applied is lost', async (t) => {
    const short = audit('1', 'start 0', 'leader 1', '1/1 - h1', '2/1 a h2');
    const { log } = checkCommittedLog([short], acknowledged);
    t.match(log.anomalies, [{ kind: 'lost-write', evidence: { op: 'b', lackedBy: ['1'] }, ops: [2, 3] }]);
  });
  t.test('an acknowledged write that only some nodes have is lost, and it is said who lacks it', async (t) => {
    const other = audit('2', 'start 0', '1/1 - h1', '2/1 a h2', '3/2 c h9');
    const { log } = checkCommittedLog([leader, other], acknowledged);
    t.match(
      log.anomalies.map((a) => a.kind),
      ['log-divergence', 'lost-write'],
    );
    t.match(log.anomalies[1]?.evidence, { op: 'b', lackedBy: ['2'], at: [{ index: 3, term: 1, nodes: ['1'] }] });
  });
  t.test('a write may be in the log twice but takes effect once', async (t) => {
    const retried = audit('1', 'start 0', 'leader 1', '1/1 a h2', '2/1 b h3', '3/1 b h3 deduplicated');
    t.match(checkCommittedLog([retried], acknowledged).log.valid, true);
    const twice = audit('1', 'start 0', 'leader 1', '1/1 a h2', '2/1 b h3', '3/1 b h4');
    t.strictSame(kinds([twice]), ['applied-twice']);
  });
  t.test('a write of unknown outcome may be there or not, but not twice', async (t) => {
    const uncertain = history('0 invoke write a', '0 info write', '1 invoke write b', '1 ok write', '2 invoke write c');
    t.strictSame(kinds([leader], uncertain), []);
    const twice = audit('1', 'start 0', 'leader 1', '1/1 a h', '2/1 a h', '3/1 b h', '4/1 c h', '5/1 c h');
    t.strictSame(kinds([twice], uncertain), ['applied-twice', 'applied-twice']);
  });
  t.test('a write that was reported as failed and took effect is told', async (t) => {
    t.strictSame(kinds([leader], history('0 invoke write a', '0 fail write', '1 invoke write b', '1 ok write')), [
      'failed-but-applied',
    ]);
  });
  t.test('an acknowledged write whose condition did not hold is told', async (t) => {
    const refused = audit('1', 'start 0', 'leader 1', '1/1 a h2', '2/1 b h2 refused');
    t.strictSame(kinds([refused]), ['acknowledged-without-effect']);
  });
  t.test('reads need not be in the log', async (t) => {
    const reads = history('0 invoke write a', '0 ok write', '1 invoke read', '1 ok read');
    t.match(checkCommittedLog([leader], reads).log.valid, true);
  });
});

t.test('log: how nodes apply', async (t) => {
  t.test('a gap is legal only across an installed snapshot', async (t) => {
    t.strictSame(kinds([leader, audit('2', 'start 0', '1/1 - h1', '3/1 b h3')]), ['gap']);
    t.strictSame(kinds([leader, audit('2', 'start 0', '1/1 - h1', 'snapshot 2/1 h2', '3/1 b h3')]), []);
  });
  t.test('an entry applied again within one life is told; a replay after a restart is not', async (t) => {
    t.strictSame(kinds([leader, audit('2', 'start 0', '1/1 - h1', '2/1 a h2', '2/1 a h2')]), ['applied-again']);
    t.strictSame(kinds([leader, audit('2', 'start 0', '1/1 - h1', '2/1 a h2', 'start 0', '1/1 - h1')]), []);
  });
  t.test('a node cannot start with state that it never had', async (t) => {
    t.strictSame(kinds([leader, audit('2', 'start 0', '1/1 - h1', 'start 3')]), ['state-from-nowhere']);
    t.strictSame(kinds([leader, audit('2', 'start 0', '1/1 - h1', 'receive 3/1', 'start 3')]), []);
    t.strictSame(kinds([leader, audit('2', 'start 0', 'receive 2/1', 'start 3')]), ['state-from-nowhere']);
  });
  t.test('terms never fall along the log', async (t) => {
    const falling = audit('1', 'start 0', 'leader 1', 'leader 2', '1/2 a h', '2/1 b h');
    t.strictSame(kinds([falling]), ['term-regression']);
  });
});

t.test('hash: equal index, equal state', async (t) => {
  t.strictSame(kinds([leader, audit('2', 'start 0', '1/1 - h1', '2/1 a XX', '3/1 b h3')]), ['state-divergence']);
  t.strictSame(kinds([leader, audit('2', 'start 0', 'snapshot 2/1 XX', '3/1 b h3')]), ['state-divergence']);
  const replay = audit('2', 'start 0', '1/1 - h1', '2/1 a h2', 'start 0', '1/1 - h1', '2/1 a XX');
  t.strictSame(kinds([leader, replay]), ['state-divergence'], 'also between two lives of one node');
  const otherEffect = audit('2', 'start 0', '1/1 - h1', '2/1 a h2 refused');
  t.strictSame(kinds([leader, otherEffect]), ['state-divergence'], 'also by effect');
});

t.test('election: one leader a term', async (t) => {
  t.strictSame(kinds([leader, audit('2', 'start 0', 'leader 1', '1/1 - h1')]), ['two-leaders']);
  t.strictSame(kinds([leader, audit('2', 'start 0', 'leader 2', '1/1 - h1')]), []);
});

t.test('what was not read is never valid', async (t) => {
  const nothing = checkCommittedLog([], []);
  t.match([nothing.log, nothing.hash, nothing.election], Array(3).fill({ valid: 'unknown', reason: String }));
  t.match(checkCommittedLog([leader, parseAudit('2', '')], acknowledged).log.valid, 'unknown', 'an empty audit');
  t.match(checkCommittedLog([leader], history('0 invoke read')).log.valid, 'unknown', 'no acknowledged write');
  t.match(checkCommittedLog([leader], history('0 invoke write', '0 ok write')).log.valid, 'unknown', 'no ids');
  const holed = [audit('1', 'start 0', 'leader 1', '1/1 a h'), audit('2', 'start 0', 'snapshot 2/1 h', '3/1 b h')];
  t.match(checkCommittedLog(holed, acknowledged).log, { valid: 'unknown', reason: /index 2/ });
  t.match(checkCommittedLog([good('1'), good('2')], acknowledged).election.valid, 'unknown', 'no leader on record');
});

t.test('audit files', async (t) => {
  t.match(parseAudit('1', '{"type":"leader","term":1}\n{"type":"lea').warnings, [/cut/]);
  for (const broken of ['{}', 'x', '[]', '{"type":"apply","index":1}', '{"type":"leader","term":-1}', '']) {
    t.throws(() => parseAudit('1', `${broken}\n{"type":"leader","term":1}\n`), AuditUnreadable, broken);
  }
});

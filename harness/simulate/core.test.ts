import t from 'tap';
import { coreOf, type Health, isEverybodyVoter } from './core.ts';

function health(given: { down?: string; unsound?: string; cut?: string; disturbed?: string }): Health {
  const has = (list: string | undefined, name: string) => (list ?? '').split(' ').includes(name);
  return {
    nodes: ['1', '2', '3', '4', '5'],
    isLive: (node) => !has(given.down, node),
    isSound: (node) => !has(given.unsound, node),
    isCut: (from, to) => has(given.cut, `${from}>${to}`),
    isDisturbed: (from, to) => has(given.disturbed, `${from}>${to}`),
  };
}

const off = (side: string, others: string) =>
  [...others].flatMap((other) => [...side].flatMap((node) => [`${node}>${other}`, `${other}>${node}`])).join(' ');

t.test('the core is the connected majority', async (t) => {
  const core = (given: Parameters<typeof health>[0]) => coreOf(health(given)).join('');
  t.equal(core({}), '12345');
  t.equal(core({ down: '4 5' }), '123', 'whoever is down is not in it');
  t.equal(core({ down: '3 4 5' }), '', 'two of five are none');
  t.equal(core({ cut: off('12', '345') }), '345');
  t.equal(core({ cut: '1>5 2>5 3>5 4>5' }), '1234', 'who hears nobody cannot lead, though it is heard');
  t.equal(core({ cut: '5>1 5>2 5>3' }), '', 'who still hears and is heard by one might lead');
  t.equal(core({ cut: off('12', '34') }), '', 'a bridge is in two majorities, and they do not hear each other');
  t.equal(core({ unsound: '5' }), '', 'a node that is not sound might lead');
  t.equal(core({ unsound: '5', cut: off('5', '1234') }), '1234');
  t.equal(core({ disturbed: '1>2' }), '');
});

t.test('in a joint configuration a majority of all nodes is not enough', async (t) => {
  const all = [1, 2, 3, 4, 5];
  t.ok(isEverybodyVoter({ voters: all, votersOutgoing: [] }, 5));
  t.notOk(isEverybodyVoter({ voters: all, votersOutgoing: [1, 4, 5] }, 5), '1, 2 and 3 have no majority of 1, 4 and 5');
  t.notOk(isEverybodyVoter({ voters: [1, 4, 5], votersOutgoing: [] }, 5));
});

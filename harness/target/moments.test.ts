import t from 'tap';
import { Moments } from './moments.ts';

/** No time passes unless told. */
function waiting() {
  const timers = new Set<() => void>();
  const moments = new Moments(
    (_, expired) => {
      timers.add(expired);
      return { cancel: () => timers.delete(expired) };
    },
    (id) => `n${id}`,
  );
  const over = () => {
    for (const expired of timers) expired();
  };
  return { moments, over };
}

t.test('a moment is told to whoever waits for it, with who has a part in it', async (t) => {
  const { moments } = waiting();
  moments.logged(1, 'leader', { leader: 1, term: 2 });
  const elected = moments.next('elected', 10);
  moments.logged(2, 'leader', { leader: 3, term: 3 });
  moments.logged(3, 'leader', { leader: 3, term: 3 });
  t.same(await elected, { node: 'n3' }, 'one who hears of a leader is not elected, and what was before does not count');
});

t.test('the first append of a leader comes once, to whoever tells of it first', async (t) => {
  const { moments, over } = waiting();
  const first = moments.next('first-append', 10);
  moments.logged(2, 'first-append', { leader: 1, term: 5 });
  t.same(await first, { node: 'n1', peer: 'n2' });
  const second = moments.next('first-append', 10);
  moments.logged(3, 'first-append', { leader: 1, term: 5 });
  moments.logged(3, 'first-append', { leader: 2, term: 4 });
  moments.logged(1, 'first-append', { leader: 3, term: 6 });
  t.same(await second, { node: 'n3', peer: 'n1' }, "not another's word of the same leader, or of an older one");
  const third = moments.next('first-append', 10);
  moments.logged(2, 'first-append', { leader: 3, term: 6 });
  over();
  t.equal(await third, undefined);
  moments.logged(2, 'first-append', { leader: 1, term: 7 });
  const fourth = moments.next('first-append', 10);
  moments.logged(3, 'first-append', { leader: 1, term: 7 });
  over();
  t.equal(await fourth, undefined, 'nor one that came before anybody waited');
});

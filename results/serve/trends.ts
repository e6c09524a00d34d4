import { type SvgNode, svg } from '../report/picture/svg.ts';
import { type RunSummary, verdictOf } from './run-list.ts';

/** One night's runs (by the UTC date of their start) by verdict. */
export interface Night {
  readonly date: string;
  readonly valid: number;
  readonly invalid: number;
  readonly unknown: number;
  /** Operations that were invoked, summed over the runs that counted them. */
  readonly operations: number;
}

const nightsMax = 60;

/** The last sixty days that had any run, the earliest first. */
export function nightsOf(runs: readonly RunSummary[]): readonly Night[] {
  const nights = new Map<
    string,
    { date: string; valid: number; invalid: number; unknown: number; operations: number }
  >();
  for (const run of runs) {
    const date = run.description.started.slice(0, 10);
    const night = nights.get(date) ?? { date, valid: 0, invalid: 0, unknown: 0, operations: 0 };
    nights.set(date, night);
    const verdict = verdictOf(run);
    // One that never came to a verdict proved nothing.
    night[verdict === 'valid' || verdict === 'invalid' ? verdict : 'unknown']++;
    night.operations += run.results?.sections.operations?.counts.invoked ?? 0;
  }
  return [...nights.values()].sort((a, b) => (a.date < b.date ? -1 : 1)).slice(-nightsMax);
}

const height = 190;
const column = 18;

/** A column a night, with the runs by verdict on top of each other; the table below says the same in numbers. */
export function drawNights(nights: readonly Night[]): SvgNode {
  const width = Math.max(420, 50 + nights.length * column);
  const most = Math.max(1, ...nights.map(({ valid, invalid, unknown }) => valid + invalid + unknown));
  const scale = (height - 50) / most;
  const shapes = nights.flatMap(({ date, valid, invalid, unknown }, i) => {
    const x = 44 + i * column;
    let y = height - 30;
    return (
      [
        ['ok', valid],
        ['info', unknown],
        ['bad', invalid],
      ] as const
    ).flatMap(([look, count]) => {
      if (count === 0) return [];
      y -= count * scale;
      const title = svg(
        'title',
        {},
        `${date}: ${count} ${look === 'ok' ? 'valid' : look === 'bad' ? 'invalid' : 'unknown'}`,
      );
      return [svg('rect', { class: `op ${look}`, x, y, width: column - 4, height: count * scale }, title)];
    });
  });
  const [first, last] = [nights[0], nights.at(-1)];
  return svg(
    'svg',
    {
      class: 'pic',
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: 'img',
      'aria-label': 'runs by verdict, a column a night',
    },
    svg('line', { class: 'rule', x1: 40, y1: height - 30, x2: width, y2: height - 30 }),
    svg('text', { class: 'quiet small', x: 34, y: 24, 'text-anchor': 'end' }, String(most)),
    svg('text', { class: 'quiet small', x: 34, y: height - 27, 'text-anchor': 'end' }, '0'),
    ...shapes,
    ...(first === undefined ? [] : [svg('text', { class: 'quiet small', x: 44, y: height - 12 }, first.date)]),
    ...(last === undefined || last === first
      ? []
      : [
          svg(
            'text',
            { class: 'quiet small', x: 44 + nights.length * column, y: height - 12, 'text-anchor': 'end' },
            last.date,
          ),
        ]),
  );
}

import { getJunitXml, type TestCase } from 'junit-xml';
import type { Summary } from './summary.ts';

/** JUnit XML, as CI systems read it: a case a canary, a cell and a signature; what is unknown is an error, not a pass. */
export function junitOf(night: Summary): string {
  const { canaries, cells, groups, reasons, colour, started } = night;
  const suites = [
    { name: 'canaries', testCases: canaries.map(canaryCase) },
    { name: 'runs', testCases: cells.map(cellCase) },
    { name: 'violations', testCases: groups.map(groupCase) },
    {
      name: 'night',
      testCases: [{ name: 'all was seen', ...(colour === 'unknown' && { errors: reasons.map(message) }) }],
    },
  ];
  const timestamp = new Date(started);
  const report = { name: `splitbrain nightly ${night.id}`, suites: suites.map((suite) => ({ ...suite, timestamp })) };
  return getJunitXml(report, { schema: 'ant-junit' });
}

function canaryCase({ name, good, told, seconds }: Summary['canaries'][number]): TestCase {
  const time = seconds === undefined ? {} : { time: seconds };
  return { classname: 'canary', name, ...time, ...(!good && { failures: [message(told)] }) };
}

function cellCase(cell: Summary['cells'][number]): TestCase {
  const { name, valid, invalid, unknown, tookMs, reasons, troubles } = cell;
  const told = `${valid} valid, ${invalid} invalid, ${unknown} unknown`;
  const test = { classname: 'run', name, time: tookMs / 1000 };
  if (invalid > 0) return { ...test, failures: [message(told)] };
  const seen = valid > 0 && unknown === 0 && troubles.length === 0;
  return seen ? test : { ...test, errors: [told, ...reasons, ...troubles].map(message) };
}

function groupCase({ signature, count, summary, examples }: Summary['groups'][number]): TestCase {
  const again = examples.map(({ command }) => command);
  return {
    classname: 'violation',
    name: signature,
    failures: [message([`${count} times: ${summary}`, ...again].join('; '))],
  };
}

function message(text: string): { readonly message: string } {
  return { message: text };
}

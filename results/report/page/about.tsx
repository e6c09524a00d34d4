import type { VNode } from 'preact';
import type { Value } from '../../../checker/history/op.ts';
import type { PageData } from '../page-data.ts';
import { Links } from './links.tsx';
import { Table } from './table.tsx';

/** What was left out, the run's files, its options and versions. */
export function About({ page }: { page: PageData }): VNode {
  const { test } = page;
  return (
    <section id="about" aria-labelledby="about-title">
      <h2 id="about-title">This run</h2>
      {page.leftOut.length > 0 && (
        <>
          <h3>Left out of this file</h3>
          <ul>
            {page.leftOut.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </>
      )}
      <h3>Files</h3>
      <Links paths={page.links} />
      <h3>Options and versions</h3>
      <Table
        columns={['what', 'value']}
        rows={[
          ['test', test.name],
          ...(test.world === 'history' ? [] : [['seed', String(test.seed)]]),
          ['started', test.started],
          ['world', test.world],
          ...(page.nodes.length === 0 ? [] : [['nodes', page.nodes.join(', ')]]),
          ...Object.entries(test.options).flatMap(([name, value]) =>
            value === null ? [] : [[name, optionText(value)]],
          ),
          ...Object.entries(test.versions).map(([name, value]) => [`version of ${name}`, value]),
          ...Object.entries(test.mechanisms).map(([fault, value]) => [`how ${fault} was done`, value]),
        ]}
      />
    </section>
  );
}

/** A plan of a simulation is long: it is laid out. */
function optionText(value: Value): string {
  if (typeof value === 'string') return value;
  const short = JSON.stringify(value);
  return short.length <= 200 ? short : JSON.stringify(value, null, 1);
}

import type { VNode } from 'preact';
import { describeFault } from '../fault-span.ts';
import type { PageData } from '../page-data.ts';
import { Table } from './table.tsx';
import type { View } from './view.ts';

/** Every fault, with what was seen of its effect. */
export function Faults({ page, view }: { page: PageData; view: View }): VNode {
  const weak = page.faults.filter((fault) => fault.effect !== 'proven').length;
  return (
    <section id="faults" aria-labelledby="faults-title">
      <h2 id="faults-title">{page.faults.length} faults</h2>
      <p class="quiet">
        {weak === 0
          ? 'Each was seen to take effect.'
          : `${page.faults.length - weak} were seen to take effect; ${weak} were not.`}
      </p>
      <Table
        columns={['from', 'to', 'fault', 'took effect', 'by', 'cut links', 'what was seen']}
        rows={page.faults.map((fault) => [
          `${(fault.start / 1e9).toFixed(3)} s`,
          fault.end === undefined ? 'never ended' : `${(fault.end / 1e9).toFixed(3)} s`,
          describeFault(fault),
          fault.effect === 'proven' ? '✓ proven' : fault.effect === 'moot' ? '– moot' : '✕ ineffective',
          fault.mechanisms.join(', '),
          fault.links.join(' '),
          fault.proof.join('\n'),
        ])}
        onRow={(row) => {
          const fault = page.faults[row];
          if (fault === undefined) return;
          const end = fault.end ?? page.endNs;
          const margin = Math.max((end - fault.start) / 1e9 / 3, 0.05);
          view.show(fault.start / 1e9 - margin, end / 1e9 + margin);
          document.getElementById('timeline')?.scrollIntoView({ block: 'start' });
        }}
      />
    </section>
  );
}

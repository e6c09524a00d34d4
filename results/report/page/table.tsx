import type { VNode } from 'preact';
import { useState } from 'preact/hooks';

/** Of a longer table the rest is shown when it is asked for. */
const rowsAtFirst = 100;

interface TableProps {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly marked?: readonly number[];
  /** Makes each row's last cell a button that shows the row's operation. */
  readonly onRow?: (row: number) => void;
}

export function Table({ columns, rows, marked = [], onRow }: TableProps): VNode {
  const [whole, setWhole] = useState(false);
  const shown = whole ? rows : rows.slice(0, Math.max(rowsAtFirst, ...marked.map((row) => row + 1)));
  return (
    <section class="scroll" tabIndex={0} aria-label={`table: ${columns.filter((name) => name !== '').join(', ')}`}>
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column === '' ? <span class="unseen">mark</span> : column}
              </th>
            ))}
            {onRow !== undefined && (
              <th scope="col">
                <span class="unseen">show</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {shown.map((row, i) => (
            <tr key={i} class={marked.includes(i) ? 'marked' : ''}>
              {row.map((cell, column) => (
                <td key={column} class={cell.length <= 20 ? 'short' : ''}>
                  {cell}
                </td>
              ))}
              {onRow !== undefined && (
                <td>
                  <button
                    type="button"
                    class="plain"
                    onClick={() => onRow(i)}
                    aria-label={`show row ${i + 1} in the timeline`}
                  >
                    show
                  </button>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length < rows.length && (
        <button type="button" onClick={() => setWhole(true)}>
          and {(rows.length - shown.length).toLocaleString('en')} more: show them
        </button>
      )}
    </section>
  );
}

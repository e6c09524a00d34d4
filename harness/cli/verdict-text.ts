import type { Results, Valid } from '../../checker/verdict.ts';
import { styler, verdictWords } from './style.ts';

const anomaliesShownMax = 5;

/**
 * The verdict for a person: the worst first line, a line a section, what went wrong, where to read on.
 * @param pointers label and text of the last lines: the report's path, commands to copy
 */
export function verdictText(
  { valid, sections }: Results,
  title: string,
  pointers: readonly (readonly [label: string, text: string])[],
  stream: { readonly isTTY?: boolean },
): string {
  const style = styler(stream);
  const told = (of: Valid, width = 0) => {
    const { word, format } = verdictWords.get(of)!;
    return style(format, word.padEnd(width));
  };
  const names = Object.keys(sections);
  const wide = Math.max(0, ...names.map((name) => name.length));
  const lines = [`${told(valid)}  ${title}`, ''];
  for (const [name, section] of Object.entries(sections)) {
    lines.push(`  ${name.padEnd(wide)}  ${told(section.valid, 7)}  ${section.reason ?? section.summary}`);
  }
  const anomalies = Object.values(sections).flatMap((section) => (section.valid === false ? section.anomalies : []));
  if (anomalies.length > 0) lines.push('');
  for (const { kind, key, message } of anomalies.slice(0, anomaliesShownMax)) {
    const where = key === undefined ? '' : ` on key ${JSON.stringify(key)}`;
    lines.push(`  ${style('red', kind)}${where}: ${message}`);
  }
  if (anomalies.length > anomaliesShownMax) {
    const where = pointers.some(([label]) => label === 'report') ? 'in the report' : 'in what --json prints';
    lines.push(`  and ${anomalies.length - anomaliesShownMax} more, ${where}`);
  }
  if (pointers.length > 0) lines.push('');
  const labelWide = Math.max(0, ...pointers.map(([label]) => label.length));
  for (const [label, text] of pointers) lines.push(`${style('dim', label.padEnd(labelWide))}  ${text}`);
  return lines.join('\n');
}

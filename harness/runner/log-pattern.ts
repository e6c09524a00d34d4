import { existsSync } from 'node:fs';
import type { Anomaly, Section } from '../../checker/verdict.ts';
import { unknown } from '../../checker/verdict.ts';
import { logPath, readLog, readNodes } from '../../results/store/read.ts';

const anomaliesMax = 20;
const lineCharactersMax = 500;

/** `--log-pattern`: lines of the nodes' logs that must not be there. None read is unknown. */
export function checkLogPattern(folder: string, pattern: string): Section {
  const expression = new RegExp(pattern);
  const anomalies: Anomaly[] = [];
  const counts = { logs: 0, lines: 0, matches: 0 };
  for (const node of readNodes(folder)) {
    if (!existsSync(logPath(folder, node))) continue;
    counts.logs++;
    for (const [at, line] of readLog(folder, node).entries()) {
      counts.lines++;
      if (!expression.test(line)) continue;
      counts.matches++;
      if (anomalies.length < anomaliesMax) anomalies.push(anomaly(node, at, line));
    }
  }
  const [first] = anomalies;
  if (first !== undefined)
    return { valid: false, summary: `${counts.matches} lines: ${first.message}`, anomalies, counts };
  if (counts.lines === 0) return unknown('no node wrote a line of log', counts);
  return { valid: true, summary: `${counts.lines} lines of ${counts.logs} logs, none matches`, anomalies, counts };
}

function anomaly(node: string, at: number, text: string): Anomaly {
  const line = text.slice(0, lineCharactersMax);
  return { kind: 'log-pattern', message: `node ${node} logged: ${line}`, ops: [], evidence: { node, at, line } };
}

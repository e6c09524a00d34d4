import 'uplot/dist/uPlot.min.css';
import './style.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { loadPage } from './load.ts';
import { View } from './view.ts';

const root = document.getElementById('report');
if (root !== null) {
  try {
    const { page, columns } = await loadPage();
    const view = new View(page.endNs / 1e9, page.keys === 0 ? 'process' : 'key');
    root.textContent = '';
    render(<App page={page} columns={columns} view={view} />, root);
    document.documentElement.dataset.ready = 'yes';
  } catch (error) {
    const note = document.createElement('p');
    note.textContent = `This report cannot be shown: ${String(error)}. A browser from 2023 or later is needed; anomaly.txt tells the same story.`;
    root.append(note);
  }
}

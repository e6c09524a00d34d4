import { asset } from '../report/html.ts';
import { pictureRules } from '../report/picture/svg.ts';

/** The report's own looks, and what lists and forms need beyond them. */
export function styleSheet(): string {
  return `${asset('page.css')}${pictureRules}
main>section{padding-bottom:20px}
form.filter{display:flex;flex-wrap:wrap;gap:10px 14px;align-items:end;margin:12px 0 16px}
form.filter label{display:grid;font-size:12.5px;color:var(--quiet);gap:2px}
form.filter select,form.filter input{color:var(--ink)}
td a{text-decoration:none}td a:hover{text-decoration:underline}
main>section>form>.runs{max-height:none}.runs td{white-space:nowrap}.runs td:last-child{white-space:normal}
td .pill{font-family:system-ui,sans-serif;white-space:nowrap}
.pill.running{color:var(--accent);background:var(--ok-fill)}.pill.none{color:var(--quiet);background:var(--fail-fill)}
tr.differs td:first-child{border-left:3px solid var(--unknown)}
.links{display:flex;flex-wrap:wrap;gap:8px 18px;margin:10px 0}
.button{border:1px solid var(--line);border-radius:7px;padding:4px 12px;text-decoration:none;color:var(--ink)}
.bar a{color:var(--quiet);text-decoration:none}.bar a.brand{color:var(--ink)}
`;
}

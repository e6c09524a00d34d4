import { type Columns, decodePage, type PageData } from '../page-data.ts';

/** Unpacks what the report embeds: base64 of raw deflate of the container. */
export async function loadPage(): Promise<{ page: PageData; columns: Columns }> {
  const text = document.getElementById('data')?.textContent ?? '';
  const packed = atob(text);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return decodePage(new Uint8Array(await new Response(stream).arrayBuffer()));
}

import fc from 'fast-check';
import t from 'tap';
import { crc32c } from '../crc32c.ts';
import {
  decodeHandshake,
  encodeFrame,
  encodeHandshake,
  type Frame,
  FrameDecoder,
  FrameError,
  frameKind,
} from './frame.ts';

t.test('CRC-32C agrees with the published vectors (RFC 3720 B.4)', async (t) => {
  t.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  t.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  t.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
  t.equal(crc32c(new TextEncoder().encode('123456789')), 0xe3069283);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (a, b) => {
      const both = Uint8Array.from([...a, ...b]);
      const parts = crc32c(both, crc32c(both, 0, 0, a.length), a.length);
      return crc32c(b, crc32c(a)) === crc32c(both) && parts === crc32c(both);
    }),
  );
});

t.test('frames survive any cutting of the stream', async () => {
  const anyFrame = fc.record({ kind: fc.integer({ min: 1, max: 255 }), payload: fc.uint8Array({ maxLength: 50 }) });
  fc.assert(
    fc.property(fc.array(anyFrame), fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (frames, cuts) => {
      const stream = frames.flatMap((frame) => [...encodeFrame(frame.kind, frame.payload)]);
      const decoded: Frame[] = [];
      const decoder = new FrameDecoder((frame) => decoded.push(frame));
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const length = cuts[turn % cuts.length]!;
        decoder.push(Uint8Array.from(stream.slice(at, at + length)));
        at += length;
      }
      const bytes = decoded.flatMap((frame) => [...frame.bytes]);
      return (
        decoder.pendingBytes === 0 &&
        JSON.stringify(bytes) === JSON.stringify(stream) &&
        JSON.stringify(decoded.map(({ kind, payload }) => [kind, ...payload])) ===
          JSON.stringify(frames.map(({ kind, payload }) => [kind, ...payload]))
      );
    }),
  );
});

t.test('a damaged frame is refused', async (t) => {
  const whole = encodeFrame(frameKind.message, new TextEncoder().encode('hello'));
  for (let at = 4; at < whole.length; at++) {
    const damaged = Uint8Array.from(whole);
    damaged[at]! ^= 0x10;
    t.throws(() => new FrameDecoder(() => t.fail('delivered')).push(damaged), FrameError, `byte ${at}`);
  }
  t.throws(() => new FrameDecoder(() => {}).push(Uint8Array.of(0xff, 0xff, 0xff, 0xff)), /a frame of 4294967299 bytes/);
  t.throws(() => new FrameDecoder(() => {}).push(Uint8Array.of(4, 0, 0, 0)), FrameError, 'too short for a frame');
});

t.test('the handshake says who dials whom', async (t) => {
  const handshake = { version: 1, cluster: 'c', from: '1', to: '2', purpose: 'messages' } as const;
  const decode = (bytes: Uint8Array) => {
    let result: unknown;
    new FrameDecoder((frame) => {
      result = decodeHandshake(frame);
    }).push(bytes);
    return result;
  };
  const frameOf = (value: unknown) => encodeFrame(frameKind.handshake, new TextEncoder().encode(JSON.stringify(value)));
  t.same(decode(encodeHandshake(handshake)), handshake);
  t.throws(() => decode(frameOf({ ...handshake, version: 2 })), /version 2/);
  t.throws(() => decode(frameOf({ ...handshake, purpose: 'gossip' })), FrameError);
  t.throws(() => decode(frameOf(null)), FrameError);
  t.throws(() => decode(encodeFrame(frameKind.handshake, Uint8Array.of(0xff))), /not JSON/);
  t.throws(() => decode(encodeFrame(frameKind.message, new Uint8Array())), /not a handshake/);
});

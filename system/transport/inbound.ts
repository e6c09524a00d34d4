import type { Clock, Connection } from '../ports.ts';
import { decodeHandshake, type Frame, FrameDecoder, FrameError, type Handshake } from './frame.ts';

/** A peer that connected must say who it is within this time. */
const handshakeMsMax = 5000;

export interface InboundHandlers {
  /** @returns what shall become of the frames that follow, or why the peer is refused */
  readonly greeted: (handshake: Handshake, connection: Connection) => Receiver | string;
  readonly refused: (reason: string) => void;
  readonly closed: () => void;
}

/** Takes the frames after the handshake. */
export interface Receiver {
  readonly frame: (frame: Frame) => void;
  readonly closed: () => void;
}

/** Reads an accepted peer connection: the handshake, then whatever its purpose asks for. */
export function receive(clock: Clock, connection: Connection, handlers: InboundHandlers): void {
  let receiver: Receiver | undefined;
  const refuse = (reason: string) => {
    handlers.refused(reason);
    connection.destroy();
  };
  const timer = clock.setTimer(handshakeMsMax, () => refuse('no handshake in time'));
  const decoder = new FrameDecoder((frame) => {
    if (receiver !== undefined) return receiver.frame(frame);
    const greeted = handlers.greeted(decodeHandshake(frame), connection);
    timer.cancel();
    if (typeof greeted === 'string') throw new FrameError(greeted);
    receiver = greeted;
  });
  let broken = false;
  connection.handle({
    data(chunk) {
      if (broken) return;
      try {
        decoder.push(chunk);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        broken = true;
        refuse(error.message);
      }
    },
    closed() {
      timer.cancel();
      receiver?.closed();
      handlers.closed();
    },
  });
}

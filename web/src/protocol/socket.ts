import { io } from "socket.io-client";
import parser from "socket.io-msgpack-parser";
import type { Auth, Wire, WireHandlers } from "./connection";
import type { Batch, Problem, Reply, Signal, Welcome } from "./types";

/** A Socket.IO wire to this page's origin: WebSocket only, MessagePack, no reconnection of its own. */
export function openSocket(auth: () => Auth): Wire {
  const socket = io({
    path: "/rt/",
    transports: ["websocket"],
    parser,
    reconnection: false,
    autoConnect: false,
    forceNew: true,
    timeout: 10_000,
    auth: (give) => give(auth()),
  });
  let handlers: WireHandlers | null = null;
  let farewell: Problem | null = null;
  const lost = (problem: Problem | null) => {
    const reason = problem ?? farewell;
    farewell = null;
    handlers?.lost(reason);
  };
  socket.on("welcome", (message: Welcome) => handlers?.welcome(message));
  socket.on("events", (batch: Batch) => handlers?.events(batch));
  socket.on("signals", (list: Signal[]) => handlers?.signals(list));
  socket.on("bye", (problem: Problem) => {
    farewell = problem;
    handlers?.bye(problem);
  });
  socket.on("disconnect", (reason) => {
    if (reason !== "io client disconnect") lost(null);
  });
  socket.on("connect_error", (error: Error & { data?: Problem }) => lost(error.data?.code ? error.data : null));
  return {
    connect: () => {
      socket.connect();
    },
    disconnect: () => {
      socket.disconnect();
    },
    send: (message, answer: (reply: Reply) => void) => {
      socket.emit("command", message, answer);
    },
    on: (next) => {
      handlers = next;
    },
  };
}

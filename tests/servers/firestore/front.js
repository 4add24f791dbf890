// A front that loses the ends of answers: it passes calls on to the server and gives all bytes of
// each answer back, but never the trailers, in which gRPC says how a call ended. So does a proxy that
// closes a stream politely when its own time is up.
'use strict';

const http2 = require('node:http2');

/** Headers that belong to one connection, or that HTTP/2 makes itself. */
const OWN = [':status', 'date', 'connection'];

/** Serves it before the server at `HOST:PORT`; calls back with its own `HOST:PORT`. */
function listen(host, server, ready) {
  const front = http2.createServer();
  front.on('stream', (down, headers) => {
    const client = http2.connect(`http://${server}`);
    const up = client.request({ ...headers, ':authority': server });
    const give_up = () => {
      down.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      client.destroy();
    };
    client.on('error', give_up);
    up.on('error', give_up);
    down.on('error', () => client.destroy());
    down.pipe(up);
    up.on('response', (answer) => {
      const kept = Object.entries(answer).filter(([name]) => !OWN.includes(name));
      down.respond({ ':status': answer[':status'], ...Object.fromEntries(kept) });
      up.pipe(down);
    });
    up.on('end', () => client.close());
  });
  front.listen(0, host, () => ready(`${host}:${front.address().port}`));
}

module.exports = { listen };
